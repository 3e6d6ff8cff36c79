//! What the control plane tells the media engine, and what the engine reports back.
//!
//! [`Command`]s come from signalling (through [`crate::room`]); the owner of the sockets
//! ([`crate::net`], an embedder or a test) routes each to the shard and to the peer's handshake.
//! [`Event`]s go the other way. Ids are made by the caller, unique in the process; slab keys stay
//! inside the shard.

mod media;

use std::sync::Arc;

use bytes::Bytes;

use crate::data::{Channel, DataStats, Message, Outgoing};
use crate::ice::Credentials;
pub use crate::peer::{Grade, Quality};
use crate::srtp::Keys;
use crate::stats::report::PeerStats;
pub use media::{
    Encoding, Extensions, Fingerprint, Injected, Kind, Label, Payload, Preference, Publication,
    Subscription,
};

/// One browser's (or SDK's) transport connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// One published audio or video source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u64);

/// One SFU room; the microphones of its peers share one ranking by loudness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub u64);

/// What the control plane asks of the media engine.
#[derive(Debug)]
pub enum Command {
    /// A peer may now connect: checks that carry `credentials` are answered.
    AddPeer {
        /// The new peer.
        peer: PeerId,
        /// Where it meets the others.
        room: RoomId,
        /// Our ICE user name fragment and password towards it.
        credentials: Credentials,
    },
    /// A peer that is a program of this process: it publishes by [`Command::Inject`].
    AddLocalPeer {
        /// The new peer.
        peer: PeerId,
        /// Where it meets the others.
        room: RoomId,
    },
    /// The peer restarts ICE; the old path lives until the first check with the new credentials.
    RestartIce {
        /// The peer.
        peer: PeerId,
        /// Our new user name fragment and password.
        credentials: Credentials,
    },
    /// The certificate the peer must show in the DTLS handshake. No keys before this.
    ExpectFingerprint {
        /// The peer.
        peer: PeerId,
        /// From its SDP.
        fingerprint: Fingerprint,
    },
    /// The peer is gone: everything of it ends, its tracks too.
    RemovePeer {
        /// The peer.
        peer: PeerId,
    },
    /// The handshake finished (sent by the control thread, never by signalling).
    SetKeys {
        /// The peer.
        peer: PeerId,
        /// SRTP keys of both directions.
        keys: Keys,
    },
    /// A datagram of the handshake or of SCTP for the peer's validated address (control thread).
    SendDatagram {
        /// The peer.
        peer: PeerId,
        /// The whole UDP payload.
        datagram: Bytes,
    },
    /// A data channel of the peer that both sides know without a word (for the control thread).
    Negotiate {
        /// The peer.
        peer: PeerId,
        /// The channel's number.
        stream: u16,
        /// How it works.
        channel: Channel,
    },
    /// A message for the peer's data channel of that label (for the control thread).
    SendData {
        /// The peer.
        peer: PeerId,
        /// The channel's label.
        label: Arc<str>,
        /// The message.
        message: Outgoing,
    },
    /// A peer publishes a track, or its description changed (same `track`).
    Publish {
        /// The track.
        track: TrackId,
        /// Who sends it.
        peer: PeerId,
        /// How its packets are recognised.
        publication: Publication,
    },
    /// The track ends, with all its edges.
    Unpublish {
        /// The track.
        track: TrackId,
    },
    /// Packets of a muted track are dropped, whatever its publisher sends.
    Mute {
        /// The track.
        track: TrackId,
        /// Muted or not.
        muted: bool,
    },
    /// A track is forwarded to a peer, or the description of that edge changed.
    Subscribe {
        /// The track.
        track: TrackId,
        /// Who receives it.
        peer: PeerId,
        /// How its packets look on that side.
        subscription: Subscription,
    },
    /// A track is no longer forwarded to a peer.
    Unsubscribe {
        /// The track.
        track: TrackId,
        /// Who received it.
        peer: PeerId,
    },
    /// What a peer is sent may, or must not, get the byte of RTP padding that keeps the packets of
    /// a picture equally long; allowed from the start by [`crate::shard::ShardConfig::padding`].
    SetPadding {
        /// The subscriber.
        peer: PeerId,
        /// Allowed or not.
        padding: bool,
    },
    /// Nothing above this is sent to a peer, whatever its network takes.
    Limit {
        /// The subscriber.
        peer: PeerId,
        /// Without headers below RTP; `None` takes the limit away.
        bits_per_second: Option<u64>,
    },
    /// How the subscriber shows a track: what it needs of it, and how much it counts.
    Prefer {
        /// The track.
        track: TrackId,
        /// The subscriber.
        peer: PeerId,
        /// Size, frame rate, priority.
        preference: Preference,
    },
    /// What is known of the peer: answered by [`Event::Stats`], and by [`Event::DataStats`] where
    /// control threads run its data channels.
    AskStats {
        /// The peer.
        peer: PeerId,
    },
    /// A program of this process gets a copy of each packet of a track.
    Tap {
        /// The track.
        track: TrackId,
        /// The writing end; see [`crate::frame::tap`].
        tap: crate::frame::Tap,
    },
    /// Who reads a track needs a keyframe.
    AskKeyframe {
        /// The track.
        track: TrackId,
        /// Of which encoding, lowest first.
        encoding: u8,
    },
    /// A program of this process publishes a frame.
    Inject {
        /// The track, of a peer that is local.
        track: TrackId,
        /// The frame's packets.
        frame: Injected,
    },
    /// The subscriber shows the track or hides it (a hidden one is not sent).
    Pause {
        /// The track.
        track: TrackId,
        /// The subscriber.
        peer: PeerId,
        /// Hidden or not.
        paused: bool,
    },
}

/// What the media engine reports. Nothing here names a person or an address.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Handshake done, fingerprint as expected, media may flow.
    Connected {
        /// The peer.
        peer: PeerId,
        /// What was negotiated.
        profile: crate::srtp::Profile,
    },
    /// No authenticated check for 15 s: nothing is sent any more until one arrives.
    Disconnected {
        /// The peer.
        peer: PeerId,
    },
    /// A check arrived again after [`Event::Disconnected`].
    Reconnected {
        /// The peer.
        peer: PeerId,
    },
    /// The handshake failed for good.
    Failed {
        /// The peer.
        peer: PeerId,
        /// Why, in words for the log.
        reason: String,
    },
    /// A message came over a data channel.
    Data {
        /// From whom.
        peer: PeerId,
        /// What it says.
        message: Message,
    },
    /// First packet of a track came in.
    TrackLive {
        /// The track.
        track: TrackId,
    },
    /// A snapshot of a peer that was asked for.
    Stats {
        /// The peer.
        peer: PeerId,
        /// Its media.
        stats: Box<PeerStats>,
    },
    /// And of its data channels.
    DataStats {
        /// The peer.
        peer: PeerId,
        /// What they carried.
        stats: DataStats,
    },
    /// A track that a program of this process publishes should go on with a keyframe.
    KeyframeWanted {
        /// The track.
        track: TrackId,
    },
    /// How loud a microphone is (RFC 6464), sent on change, at most every 300 ms a track.
    Level {
        /// The audio track.
        track: TrackId,
        /// 0 silence to 1 full scale, linear.
        level: f32,
        /// Speaking (with a hold of some hundred milliseconds) or not.
        speaking: bool,
    },
    /// The subscriber's network does not take a track at all, or does again.
    Starved {
        /// The video track.
        track: TrackId,
        /// The subscriber.
        peer: PeerId,
        /// Paused or not.
        starved: bool,
    },
    /// How good the connection of a peer is; sent where that changed.
    Quality {
        /// The peer.
        peer: PeerId,
        /// From loss and round trip of both directions.
        quality: Quality,
    },
    /// A microphone entered or left the loudest of its room: only those are forwarded. Sent only
    /// where a room has more microphones than are forwarded.
    Heard {
        /// The audio track.
        track: TrackId,
        /// Forwarded or not.
        heard: bool,
    },
}

impl Event {
    /// The peer or track it is about, for routing.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Connected { peer, .. }
            | Self::Disconnected { peer }
            | Self::Reconnected { peer }
            | Self::Failed { peer, .. }
            | Self::Data { peer, .. }
            | Self::Quality { peer, .. }
            | Self::Stats { peer, .. }
            | Self::DataStats { peer, .. }
            | Self::Starved { peer, .. } => Subject::Peer(*peer),
            Self::TrackLive { track }
            | Self::KeyframeWanted { track }
            | Self::Level { track, .. }
            | Self::Heard { track, .. } => Subject::Track(*track),
        }
    }
}

/// What an [`Event`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A peer.
    Peer(PeerId),
    /// A track.
    Track(TrackId),
}
