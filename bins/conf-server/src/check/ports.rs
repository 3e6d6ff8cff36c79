//! Can the ports be had?

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use conf_media::ice::Transport;

use super::Finding;
use crate::config::Config;

/// Binds each port for a moment; `running`: a server holds them, and should.
pub(super) fn look(config: &Config, running: bool) -> Vec<Finding> {
    let tcp = |at: SocketAddr| TcpListener::bind(at).map(drop);
    let mut findings = vec![finding("http.listen", config.http_listen, tcp, running)];
    let optional = [
        ("http.redirect_listen", config.redirect_listen),
        ("metrics.listen", config.metrics_listen),
    ];
    for (key, at) in optional.into_iter().filter_map(|(key, at)| Some((key, at?))) {
        findings.push(finding(key, at, tcp, running));
    }
    for (transport, at, bound) in conf_media::net::probe(&config.media_listen, config.media_tcp) {
        let key = match transport {
            Transport::Udp => "media.listen",
            Transport::Tcp => "media.tcp",
        };
        findings.push(judged(key, &format!("{transport} {at}"), bound, running));
    }
    findings
}

fn finding(
    key: &'static str,
    at: SocketAddr,
    bind: impl Fn(SocketAddr) -> io::Result<()>,
    running: bool,
) -> Finding {
    judged(key, &at.to_string(), bind(at), running)
}

fn judged(key: &'static str, at: &str, bound: io::Result<()>, running: bool) -> Finding {
    let error = match bound {
        Ok(()) => return Finding::ok(key, format!("{at} is free")),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::AddrInUse if running => {
            Finding::ok(key, format!("{at} is in use, and a server runs with this data_dir"))
        }
        ErrorKind::AddrInUse => Finding::problem(
            key,
            format!("{at} is in use by another program: stop it, or choose another port"),
        ),
        ErrorKind::PermissionDenied => Finding::problem(
            key,
            format!("{at} is not allowed to this user: ports below 1024 need CAP_NET_BIND_SERVICE"),
        ),
        ErrorKind::AddrNotAvailable => {
            Finding::problem(key, format!("{at} is not an address of this machine"))
        }
        _ => Finding::problem(key, format!("{at} cannot be listened on: {error}")),
    }
}
