//! What is asked for, checked: the command line in types.

use std::path::PathBuf;
use std::time::Duration;

use conf_media::srtp::Profile;

/// One run of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Who does what.
    pub scenario: Scenario,
    /// The server's door.
    pub door: DoorPlan,
    /// What is sent, and how it is protected.
    pub media: MediaPlan,
    /// How long and how often is measured.
    pub window: WindowPlan,
    /// The server's process, whose CPU and memory are read.
    pub pid: Option<u32>,
    /// Where reports go.
    pub outputs: Outputs,
}

/// Who does what.
#[derive(Clone, Debug, PartialEq)]
pub enum Scenario {
    /// One camera to many.
    Fanout {
        /// How many.
        subscribers: usize,
    },
    /// Everybody sends camera and microphone and receives everybody else's.
    Meeting {
        /// How many.
        participants: usize,
    },
    /// Everybody has a microphone, some speak.
    Audio {
        /// How many people.
        participants: usize,
        /// How many of them speak.
        speakers: usize,
    },
    /// As fan-out, subscribers added step by step until a step loses 1 % or more.
    Ramp {
        /// Ascending numbers of subscribers.
        steps: Vec<usize>,
    },
    /// Many join at once while others already watch.
    Joins {
        /// How many watch before.
        subscribers: usize,
        /// How many join.
        joins: usize,
        /// Offered joins a second.
        rate: f64,
    },
    /// As fan-out, every subscriber asks for keyframes again and again.
    Keyframes {
        /// How many.
        subscribers: usize,
        /// Time between two requests of one subscriber.
        every: Duration,
    },
    /// As fan-out, for long, while people come and go: does the server's memory grow?
    Soak {
        /// How many.
        subscribers: usize,
        /// How long.
        length: Duration,
        /// One leaves and one comes so often; zero: nobody does.
        turn: Duration,
    },
}

impl Scenario {
    /// The word on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fanout { .. } => "fanout",
            Self::Meeting { .. } => "meeting",
            Self::Audio { .. } => "audio",
            Self::Ramp { .. } => "ramp",
            Self::Joins { .. } => "joins",
            Self::Keyframes { .. } => "keyframes",
            Self::Soak { .. } => "soak",
        }
    }
}

/// How to speak to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorPlan {
    /// The protocol.
    pub kind: DoorKind,
    /// `http://127.0.0.1:8080`, without a path of its own where the protocol has one.
    pub url: String,
    /// Key and secret that access tokens are signed with.
    pub credentials: Option<Credentials>,
    /// The room's name.
    pub room: String,
}

/// An API key; the secret is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub key: String,
    /// Signs tokens.
    pub secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// The protocols that servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorKind {
    /// WHIP (RFC 9725) and WHEP.
    Whip,
    /// LiveKit's signalling; publishers come by WHIP.
    LiveKit,
    /// Janus with its VideoRoom.
    Janus,
    /// The floor program, [`crate::floor`].
    Floor,
}

impl DoorKind {
    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whip => "whip",
            Self::LiveKit => "livekit",
            Self::Janus => "janus",
            Self::Floor => "floor",
        }
    }
}

/// What is sent, and how it is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPlan {
    /// The one SRTP profile that is offered.
    pub suite: Suite,
    /// What a camera and a microphone send.
    pub shape: ShapeKind,
    /// When sources start.
    pub phases: Phases,
    /// Of all that is random.
    pub seed: u64,
    /// What subscribers report.
    pub feedback: Feedback,
    /// Threads that drive the sockets.
    pub threads: usize,
    /// Every packet is opened, not one of eight.
    pub check: bool,
    /// Microphones say how loud they are (RFC 6464).
    pub levels: bool,
}

/// The one SRTP profile that clients offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES_CM_128_HMAC_SHA1_80.
    Cm,
    /// AEAD_AES_128_GCM.
    Gcm128,
    /// AEAD_AES_256_GCM.
    Gcm256,
}

impl Suite {
    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cm => "cm",
            Self::Gcm128 => "gcm128",
            Self::Gcm256 => "gcm256",
        }
    }

    /// As conf-media calls it.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::Cm => Profile::AesCm128HmacSha1_80,
            Self::Gcm128 => Profile::AeadAes128Gcm,
            Self::Gcm256 => Profile::AeadAes256Gcm,
        }
    }
}

/// What a camera and a microphone send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeKind {
    /// Packets of one size at one rate: figures that can be compared with other measurements.
    Even,
    /// Sizes and bursts of a browser; microphones fall silent.
    Browser,
}

impl ShapeKind {
    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Browser => "browser",
        }
    }
}

/// When sources start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phases {
    /// Each at a moment of its own within its period.
    Random,
    /// All at once: the worst case.
    Same,
}

impl Phases {
    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Same => "same",
        }
    }
}

/// What subscribers negotiate and report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK and RTX.
    pub nack: bool,
    /// Transport-wide feedback.
    pub twcc: bool,
}

/// How long and how often is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowPlan {
    /// Of one window.
    pub seconds: u64,
    /// Windows with much other load on the machine are repeated.
    pub quiet: bool,
}

/// Where reports go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// One JSON object.
    pub json: Option<PathBuf>,
    /// One row a window.
    pub csv: Option<PathBuf>,
    /// One page with plots.
    pub html: Option<PathBuf>,
}

/// What `self` measures: the cost of this program's own receiving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Sockets that receive.
    pub subscribers: usize,
    /// For how long.
    pub seconds: u64,
    /// How packets are protected.
    pub suite: Suite,
    /// Every packet is opened, not one of eight.
    pub check: bool,
}
