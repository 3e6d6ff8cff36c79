//! One participant as signalling knows it: who, what it publishes, which sections it has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use livekit_protocol as proto;

use super::livekit::token::{Claims, Grants};
use super::types::{ConnectionId, Identity, Join, Source};
use crate::command::{Kind, Label, PeerId, Preference, Subscription, TrackId};
use crate::ice::Credentials;

/// One participant.
pub(super) struct Participant {
    pub(super) peer: PeerId,
    pub(super) profile: Profile,
    pub(super) door: Door,
    /// `None` while the websocket is away.
    pub(super) connection: Option<ConnectionId>,
    /// When it is given up: its websocket or its media is away.
    pub(super) gone_at: Option<Instant>,
    /// When it needs another token.
    pub(super) refresh_at: Instant,
    pub(super) bucket: Bucket,
    /// In the order in which they were announced.
    pub(super) tracks: Vec<Published>,
    pub(super) transport: Transport,
    pub(super) wishes: Wishes,
    pub(super) speaker: Speaker,
    /// The sequence number of its last packet over the reliable data channel.
    pub(super) data_sequence: u32,
}

/// How it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// It has a websocket.
    LiveKit,
    /// It has said by HTTP what it publishes, and lives as long as its media.
    Whip,
    /// It is a program of this process.
    Local,
}

/// What others get to see of it.
pub(super) struct Profile {
    pub(super) identity: Identity,
    pub(super) sid: String,
    pub(super) name: String,
    pub(super) metadata: String,
    pub(super) attributes: HashMap<String, String>,
    pub(super) grants: Grants,
    pub(super) client: proto::ClientInfo,
    pub(super) joined: Timestamp,
    pub(super) state: proto::participant_info::State,
    /// Grows with each change; clients ignore a lower one.
    pub(super) version: u32,
}

/// A track that the participant announced.
pub(super) struct Published {
    pub(super) id: TrackId,
    /// The client's name for it, also in its `a=msid`.
    pub(super) cid: String,
    pub(super) kind: Kind,
    pub(super) source: Source,
    /// The section that carries it; `None` until an offer has one.
    pub(super) mid: Option<Label>,
    /// Among the loudest microphones of the room.
    pub(super) heard: bool,
    /// Which of its encodings are needed.
    pub(super) needed: Needed,
    pub(super) info: proto::TrackInfo,
}

/// Which encodings of a published track its subscribers need, and what its publisher was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needed {
    /// The encodings below this index; `None` before it was looked at.
    pub(super) told: Option<u8>,
    /// Fewer are needed since then: told at this time, if that lasts.
    pub(super) lower_at: Option<Instant>,
}

impl Published {
    /// Encoding name of the codec it is published in, as SDP has it.
    pub(super) fn codec_name(&self) -> Option<String> {
        let (_, name) = self.info.mime_type.split_once('/')?;
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// The state of its one peer connection.
pub(super) struct Transport {
    pub(super) credentials: Credentials,
    /// The client's user name fragment in its last offer; `None` before the first.
    pub(super) remote_ufrag: Option<String>,
    /// Numbers of the `o=` line.
    pub(super) session: u64,
    pub(super) version: u64,
    /// Canonical name of all that it sends, so that receivers keep sound and picture together.
    pub(super) cname: String,
    /// Media sections of the last offer.
    pub(super) slots: Vec<Slot>,
    /// No check comes any more: the engine sends nothing.
    pub(super) lost: bool,
    /// More sections were asked for and no offer came since.
    pub(super) asked: bool,
    /// How often an offer came back without what was asked for.
    pub(super) in_vain: u8,
}

/// One media section of the last offer.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) mid: Label,
    pub(super) kind: Kind,
    pub(super) used: Used,
}

/// What the last answer did with a section.
#[derive(Clone, Debug)]
pub(super) enum Used {
    /// `inactive`, and the client would receive: the next forwarded track may take it.
    Free,
    /// `inactive` after it carried a track: free from the next offer on.
    Freed,
    /// `sendonly` with this track, which may have ended since.
    Sending(Binding),
    /// The client published here, or still does.
    Receiving,
    /// Refused, or of no use now.
    Idle,
}

/// A track in a subscriber's section.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) track: TrackId,
    pub(super) subscription: Subscription,
}

/// What it wants to receive.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) auto: bool,
    /// Said about single tracks.
    pub(super) said: BTreeMap<TrackId, bool>,
    /// Subscribed but hidden.
    pub(super) hidden: BTreeSet<TrackId>,
    /// How single tracks are shown.
    pub(super) shown: BTreeMap<TrackId, Preference>,
    /// Its browser cannot decode them; it was told.
    pub(super) undecodable: BTreeSet<TrackId>,
}

/// How loud it is and what was last told to the others.
#[derive(Default)]
pub(super) struct Speaker {
    pub(super) level: f32,
    pub(super) speaking: bool,
    pub(super) told: Option<(f32, bool)>,
}

impl Profile {
    /// Of somebody without a client of LiveKit's: all that is known stands in the claims.
    pub(super) fn claimed(
        claims: Claims,
        sid_number: u64,
        state: proto::participant_info::State,
        now: crate::time::Now,
    ) -> Self {
        Self {
            identity: claims.identity,
            sid: sid(sid_number),
            name: claims.name,
            metadata: claims.metadata,
            attributes: claims.attributes.into_iter().collect(),
            grants: claims.grants,
            client: proto::ClientInfo::default(),
            joined: now.wall,
            state,
            version: 0,
        }
    }

    pub(super) fn of(join: &Join, now: crate::time::Now) -> Self {
        let request = &join.request;
        let mut metadata = &join.metadata;
        let mut attributes: HashMap<_, _> = join.attributes.clone().into_iter().collect();
        // What a client says of itself counts only where its token allows it.
        if join.grants.can_update_own_metadata() {
            metadata = Some(&request.metadata).filter(|own| !own.is_empty()).unwrap_or(metadata);
            attributes.extend(request.participant_attributes.clone());
        }
        Self {
            identity: join.identity.clone(),
            sid: sid(join.sid_number),
            name: join.name.clone(),
            metadata: metadata.clone(),
            attributes,
            grants: join.grants.clone(),
            client: request.client_info.clone().unwrap_or_default(),
            joined: now.wall,
            state: proto::participant_info::State::Joined,
            version: 0,
        }
    }
}

/// Native clients abort on another prefix.
pub(super) fn sid(number: u64) -> String {
    format!("PA_{number:016x}")
}

impl Participant {
    pub(super) fn new(
        peer: PeerId,
        profile: Profile,
        transport: Transport,
        now: crate::time::Now,
    ) -> Self {
        Self {
            peer,
            profile,
            door: Door::LiveKit,
            connection: None,
            gone_at: None,
            refresh_at: now.mono + REFRESH,
            bucket: Bucket::new(now.mono),
            tracks: Vec::new(),
            transport,
            wishes: Wishes::default(),
            speaker: Speaker::default(),
            data_sequence: 0,
        }
    }

    /// Its media flows, so it stays, unless it is its websocket that is away.
    pub(super) fn path_found(&mut self) {
        if self.door == Door::Whip || self.connection.is_some() {
            self.gone_at = None;
        }
    }

    pub(super) fn track(&self, sid: &str) -> Option<&Published> {
        self.tracks.iter().find(|track| track.info.sid == sid)
    }

    pub(super) fn track_mut(&mut self, sid: &str) -> Option<&mut Published> {
        self.tracks.iter_mut().find(|track| track.info.sid == sid)
    }

    /// What its tokens say.
    pub(super) fn claims(&self) -> Claims {
        let profile = &self.profile;
        let attributes = profile.attributes.iter();
        Claims {
            identity: profile.identity.clone(),
            name: profile.name.clone(),
            grants: profile.grants.clone(),
            metadata: profile.metadata.clone(),
            attributes: attributes.map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    /// The tracks that an offer has carried.
    pub(super) fn live_tracks(&self) -> impl Iterator<Item = &Published> {
        self.tracks.iter().filter(|track| track.mid.is_some())
    }
}

impl Transport {
    pub(super) fn new(credentials: Credentials, session: u64, cname: String) -> Self {
        Self {
            credentials,
            remote_ufrag: None,
            session,
            version: 0,
            cname,
            slots: Vec::new(),
            lost: false,
            asked: false,
            in_vain: 0,
        }
    }

    pub(super) fn binding(&self, track: TrackId) -> Option<&Binding> {
        self.slots.iter().find_map(|slot| match &slot.used {
            Used::Sending(binding) if binding.track == track => Some(binding),
            _ => None,
        })
    }
}

/// Lets so many messages a second through, with some at once.
pub(super) struct Bucket {
    tokens: u32,
    filled: Instant,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled: now }
    }

    /// A long message costs as many as its reading does: an offer of a megabyte is no ping.
    pub(super) fn take(&mut self, now: Instant, bytes: usize) -> bool {
        let cost = u32::try_from(bytes / BYTES_PER_TOKEN).unwrap_or(BURST).saturating_add(1);
        let steps = now.saturating_duration_since(self.filled).as_millis() / STEP.as_millis();
        if let Ok(steps) = u32::try_from(steps)
            && steps < BURST
        {
            self.tokens = self.tokens.saturating_add(steps).min(BURST);
            self.filled += STEP * steps;
        } else {
            self.tokens = BURST;
            self.filled = now;
        }
        let left = self.tokens.checked_sub(cost);
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }
}

/// Half of a token's life.
pub(super) const REFRESH: Duration = Duration::from_secs(300);
/// A client in a large meeting sends some ten messages a second when it opens.
pub(super) const MESSAGES_PER_SECOND: u32 = 50;
const STEP: Duration = Duration::from_millis(1000 / MESSAGES_PER_SECOND as u64);
const BURST: u32 = 200;
/// The offer of a browser in a meeting of two has 15 KB, of fifty 300 KB, and while all of them
/// join there are several a second.
const BYTES_PER_TOKEN: usize = 64 * 1024;
