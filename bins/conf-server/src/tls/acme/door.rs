//! The way out to the ACME server, and to nobody else: HTTPS to the host of the directory.

use std::error::Error as StdError;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls::{TlsError, live, pem};

/// Asks one host. A connection a request: an order has about a dozen.
#[derive(Clone)]
pub(super) struct Door {
    directory: Uri,
    tls: TlsConnector,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send + 'a>>;

impl Door {
    /// `root`: whom to trust instead of this machine's certificate authorities.
    pub(super) fn new(directory: &str, root: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let trusted = match root {
            Some(path) => pem::certificates(path, &pem::read(path, 0o777)?)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let (added, _unusable) = roots.add_parsable_certificates(trusted);
        if added == 0 {
            return Err(TlsError::NoRoots);
        }
        let client = ClientConfig::builder_with_provider(live::provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let directory = directory.parse().unwrap_or_default();
        Ok(Self { directory, tls: TlsConnector::from(Arc::new(client)) })
    }

    /// Where a URL of the ACME server leads: host and port of the directory, or nowhere.
    fn host<'a>(&self, uri: &'a Uri) -> Option<(&'a str, u16)> {
        let of = |uri: &'a Uri| Some((uri.host()?, uri.port_u16().unwrap_or(443)));
        let own = (self.directory.host()?, self.directory.port_u16().unwrap_or(443));
        of(uri).filter(|it| uri.scheme_str() == Some("https") && *it == own)
    }

    async fn ask(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, Box<dyn StdError + Send + Sync>> {
        let uri = request.uri().clone();
        let (host, port) = self.host(&uri).ok_or("a host that is not the directory's")?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        let stream = self.tls.connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with this request, also where that is dropped.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let authority = uri.authority().ok_or("no host")?.as_str();
        request.headers_mut().insert(header::HOST, HeaderValue::from_str(authority)?);
        *request.uri_mut() = uri.path_and_query().ok_or("no path")?.as_str().parse()?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body: Bytes = Limited::new(body, LIMIT).collect().await?.to_bytes();
        Ok(BytesResponse { parts, body: Box::new(body) })
    }
}

impl HttpClient for Door {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answer<'static> {
        let door = self.clone();
        Box::pin(async move {
            let answer = timeout(PATIENCE, door.ask(request)).await;
            let answer = answer.unwrap_or_else(|_| Err("the ACME server does not answer".into()));
            answer.map_err(Error::Other)
        })
    }
}

/// The longest answer: a certificate chain has a few KiB.
const LIMIT: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_host_is_asked_whatever_the_acme_server_says() {
        let tls = ClientConfig::builder_with_provider(live::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let directory = "https://ca.example.org/directory".parse().unwrap();
        let door = Door { directory, tls: TlsConnector::from(Arc::new(tls)) };
        let leads = |uri: &str| door.host(&uri.parse().unwrap()).is_some();
        assert!(leads("https://ca.example.org/order/1") && leads("https://ca.example.org:443/"));
        for other in [
            "http://ca.example.org/order/1",
            "https://ca.example.org:8443/order/1",
            "https://example.org/order/1",
            "/order/1",
        ] {
            assert!(!leads(other), "{other}");
        }
    }
}
