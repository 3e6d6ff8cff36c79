//! One target a network parser; the cargo-fuzz binaries and the replay on stable both call them.
//!
//! A target takes any bytes and must return. Its seeds come from the project's own encoders.

mod media;
mod mutate;
mod signalling;

pub use mutate::Mutator;

/// A parser that meets bytes of the network.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the folder of its corpus.
    pub name: &'static str,
    /// Feeds it one input.
    pub run: fn(&[u8]),
    /// Well-formed inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "rtp", run: media::rtp, seeds: media::rtp_seeds },
    Target { name: "codec", run: media::codec, seeds: media::codec_seeds },
    Target { name: "rtcp", run: media::rtcp, seeds: media::rtcp_seeds },
    Target { name: "srtp", run: media::srtp, seeds: media::srtp_seeds },
    Target { name: "stun", run: media::stun, seeds: media::stun_seeds },
    Target { name: "dtls", run: media::dtls, seeds: media::dtls_seeds },
    Target { name: "sctp", run: media::sctp, seeds: media::sctp_seeds },
    Target { name: "sdp", run: signalling::sdp, seeds: signalling::sdp_seeds },
    Target { name: "signal", run: signalling::signal, seeds: signalling::signal_seeds },
    Target {
        name: "join_request",
        run: signalling::join_request,
        seeds: signalling::join_request_seeds,
    },
    Target { name: "token", run: signalling::token, seeds: signalling::token_seeds },
    Target { name: "wire", run: signalling::wire, seeds: signalling::wire_seeds },
];

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
