//! What door and floor say to each other: one JSON object a line, over TCP on this machine.
//!
//! There is no ICE and no handshake: the client makes the keys and says where its sockets are.

use std::net::SocketAddr;

use conf_media::srtp::{MasterKey, Profile, SrtpError};
use serde::{Deserialize, Serialize};

/// What the client asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// One who sends.
    Publish {
        /// Chosen by the client, unique.
        id: u64,
        /// Its socket.
        from: SocketAddr,
        /// It seals with them.
        keys: WireKeys,
        /// It opens with them.
        back: WireKeys,
        /// Its sources that are microphones.
        microphones: Vec<u32>,
        /// Its other ones: asked for a keyframe when somebody comes.
        cameras: Vec<u32>,
    },
    /// One who receives.
    Subscribe {
        /// Chosen by the client, unique.
        id: u64,
        /// Its socket.
        to: SocketAddr,
        /// It opens with them.
        keys: WireKeys,
        /// Whom it receives.
        of: Vec<u64>,
    },
    /// One of both goes.
    Leave {
        /// Whose.
        id: u64,
    },
}

/// What the floor answers to each request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Where media goes to and comes from.
    pub(crate) media: SocketAddr,
}

/// Keys of one direction; not printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WireKeys {
    /// As DTLS numbers it.
    profile: u16,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl WireKeys {
    pub(crate) fn new(profile: Profile, master: &MasterKey) -> Self {
        let MasterKey { key, salt } = master.clone();
        Self { profile: profile.to_dtls(), key, salt }
    }

    /// As conf-media takes them.
    ///
    /// # Errors
    /// [`SrtpError::KeyMaterial`] for a profile that it does not know.
    pub(crate) fn read(self) -> Result<(Profile, MasterKey), SrtpError> {
        let none = SrtpError::KeyMaterial { len: self.key.len(), needed: 0 };
        let profile = Profile::from_dtls(self.profile).ok_or(none)?;
        Ok((profile, MasterKey { key: self.key, salt: self.salt }))
    }
}

impl std::fmt::Debug for WireKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WireKeys(…)")
    }
}
