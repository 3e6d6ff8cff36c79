//! One target a network parser; the cargo-fuzz binaries and the replay on stable both call them.
//!
//! A target takes any bytes and must return. Its seeds come from the project's own encoders.

mod dependency;
mod frame;
mod media;
mod mutate;
mod oracle;
mod quiet;
mod sctp;
mod shape;
mod shard;
mod signalling;
mod whip;

pub use mutate::Mutator;
pub use oracle::is_publishable;
pub use quiet::caught;
pub use shape::Shape;

/// A parser that meets bytes of the network.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the folder of its corpus.
    pub name: &'static str,
    /// Feeds it one input and says what came of it.
    pub run: fn(&[u8]) -> Shape,
    /// Well-formed inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The seeds are files of another crate's tests, or of another target, so the corpus does not
    /// hold them again.
    pub has_fixtures: bool,
    /// What a search finds may lie in its corpus. Not where an input holds packets for another
    /// implementation too, which may panic on them.
    pub keeps: bool,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("rtp", media::rtp, media::rtp_seeds),
    target("codec", media::codec, media::codec_seeds),
    target("dependency", dependency::run, dependency::seeds),
    target("frame", frame::run, frame::seeds),
    target("rtcp", media::rtcp, media::rtcp_seeds),
    target("srtp", media::srtp, media::srtp_seeds),
    target("stun", media::stun, media::stun_seeds),
    target("tcp", media::tcp, media::tcp_seeds),
    target("dtls", media::dtls, media::dtls_seeds),
    target("gate", media::gate, media::dtls_seeds),
    target("sctp", sctp::run, sctp::seeds),
    Target { keeps: false, ..target("shard", shard::run, shard::seeds) },
    oracle("oracle_rtp", oracle::rtp, media::rtp_seeds),
    oracle("oracle_rtcp", oracle::rtcp, media::rtcp_seeds),
    oracle("oracle_srtp", oracle::srtp, media::rtp_seeds),
    Target { has_fixtures: true, ..target("sdp", signalling::sdp, signalling::sdp_seeds) },
    target("signal", signalling::signal, signalling::signal_seeds),
    target("whip", whip::run, whip::seeds),
    target("data_packet", signalling::data_packet, signalling::data_packet_seeds),
    target("join_request", signalling::join_request, signalling::join_request_seeds),
    target("token", signalling::token, signalling::token_seeds),
    Target { has_fixtures: true, ..target("wire", signalling::wire, signalling::wire_seeds) },
];

const fn target(
    name: &'static str,
    run: fn(&[u8]) -> Shape,
    seeds: fn() -> Vec<Vec<u8>>,
) -> Target {
    Target { name, run, seeds, has_fixtures: false, keeps: true }
}

const fn oracle(
    name: &'static str,
    run: fn(&[u8]) -> Shape,
    seeds: fn() -> Vec<Vec<u8>>,
) -> Target {
    Target { name, run, seeds, has_fixtures: true, keeps: false }
}

/// Feeds one input to the target of that name: what the cargo-fuzz binaries call.
pub fn run(name: &str, input: &[u8]) {
    for target in TARGETS.iter().filter(|target| target.name == name) {
        (target.run)(input);
    }
}

/// A start of time: the same for all inputs of a process.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "an Instant can't be made from a number")]
pub fn start() -> std::time::Instant {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    *START.get_or_init(std::time::Instant::now)
}
