//! What the tests of doors enter with, and what a server answers.

use conf_media::command::Fingerprint;

use super::{Local, Subscribe, Terms};

/// A subscriber of one camera.
pub(super) fn wish() -> Subscribe {
    let local = Local {
        address: "127.0.0.1:4000".parse().unwrap(),
        ufrag: "abcd".into(),
        password: "0123456789abcdef01234567".into(),
        fingerprint: Fingerprint([7; 32]),
    };
    let terms = Terms { nack: true, twcc: false, levels: true };
    Subscribe { local, name: "s1".into(), audio: 0, video: 1, terms }
}

/// The server's side of its transport.
pub(super) fn description() -> String {
    format!(
        "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 {}\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n\
         a=candidate:1 1 udp 1 127.0.0.1 5000 typ host\r\n",
        Fingerprint([7; 32])
    )
}
