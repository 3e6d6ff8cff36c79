//! Group `dtls`: a whole handshake, both sides of it, until the server has its keys.
//!
//! The client is `dimpl` each time, so the two backends differ by the server alone; `webrtc-dtls`
//! works on threads of its own, whose waking is part of the time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use conf_media::dtls::{Acceptor, Backend, Dtls, Output};
use conf_media::test_util::{Handshake, Identity};

use crate::Work::Items;
use crate::{Case, Operation, now};

struct Whole {
    acceptor: Acceptor,
    identity: Identity,
    woken: Receiver<()>,
    wake: Sender<()>,
}

impl Whole {
    fn new(backend: Backend) -> Self {
        let acceptor = Acceptor::start(backend).expect("a certificate and threads");
        let (wake, woken) = channel();
        Self { acceptor, identity: Identity::generate(), woken, wake }
    }

    /// Datagrams go both ways until nothing more comes; whether the server is connected.
    fn exchange(client: &mut Handshake, server: &mut dyn Dtls) -> bool {
        let now = now().mono;
        let mut connected = false;
        loop {
            let mut silent = true;
            while let Some(datagram) = client.poll() {
                silent = false;
                server.handle(now, &datagram).expect("a handshake that is taken");
            }
            while let Some(output) = server.poll() {
                silent = false;
                match output {
                    Output::Transmit(datagram) => client.handle(now, &datagram),
                    Output::Connected { .. } => connected = true,
                    other => assert!(!matches!(other, Output::Failed(_)), "{other:?}"),
                }
            }
            if silent {
                return connected;
            }
        }
    }
}

impl Operation for Whole {
    fn run(&mut self) {
        let wake = self.wake.clone();
        let mut server = self.acceptor.accept(Arc::new(move || wake.send(()).unwrap_or_default()));
        let mut client = Handshake::new(now().mono, &self.identity);
        while !Self::exchange(&mut client, &mut *server) {
            self.woken.recv_timeout(Duration::from_secs(10)).expect("the backend has something");
        }
    }
}

fn handshake(name: &str, backend: Backend) -> Case {
    Case::timed(format!("handshake/{name}"), Items(1), move || Whole::new(backend))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        handshake("dimpl", Backend::Dimpl),
        #[cfg(feature = "webrtc-dtls")]
        handshake("webrtc-dtls", Backend::WebrtcDtls),
    ]
}
