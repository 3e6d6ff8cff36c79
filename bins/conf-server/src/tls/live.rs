//! The certificate in force: each handshake takes the current one, running connections keep theirs.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Certificate;

/// Holds one certificate, or none as long as the first is not here.
#[derive(Debug, Default)]
pub(crate) struct Live(RwLock<Option<Arc<CertifiedKey>>>);

impl Live {
    /// From now on this one is served.
    pub(crate) fn put(&self, certificate: Certificate) {
        let mut slot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(certificate.key);
    }
}

impl ResolvesServerCert for Live {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The settings of the listener: TLS 1.2 and 1.3, HTTP/1.1.
pub(super) fn server(live: Arc<Live>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)?
        .with_no_client_auth()
        .with_cert_resolver(live);
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

/// The one crypto provider.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
