//! What the engine counts: packets, bytes, requests, and every drop with its reason.
//!
//! A shard counts in plain numbers. Another thread reads a [`Mirror`], into which the owner of the
//! shard stores a copy now and then: no atomic operation on the path of a packet.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::data::DataStats;

mod histogram;
pub mod report;

use histogram::Mirrored;
pub use histogram::{CLASSES, Histogram, Measure};

/// Why a datagram or packet went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(usize)]
pub enum DropReason {
    /// First byte of no protocol that shares the port (RFC 7983).
    Unclassified,
    /// Not a STUN message, or one that we do not answer.
    Stun,
    /// STUN for a user name that no peer has.
    UnknownUser,
    /// A check whose integrity failed.
    Unauthenticated,
    /// A check from an address that another peer uses.
    AddressTaken,
    /// Media or DTLS from an address that ICE has not validated.
    UnvalidatedAddress,
    /// Media before the keys are known.
    NoKeys,
    /// SRTP or SRTCP that did not open (forged, replayed, damaged).
    Unopened,
    /// More synchronisation sources than one peer may send with.
    TooManySources,
    /// Opened, but no RTP.
    MalformedRtp,
    /// Opened, but no RTCP.
    MalformedRtcp,
    /// A synchronisation source of no published track.
    UnknownSource,
    /// A payload type that the track does not have.
    UnknownPayloadType,
    /// A repair packet that holds no original.
    MalformedRepair,
    /// Came already: browsers probe their uplink with retransmissions of what has arrived.
    Duplicate,
    /// Too late: older than the ring reaches, or than what a subscriber began with.
    Late,
    /// Longer than a slot of the ring.
    Oversized,
    /// The track is muted.
    Muted,
    /// The subscriber takes none of the publisher's codecs.
    NoCommonCodec,
    /// The subscriber's path is gone or its keys are missing.
    SubscriberUnreachable,
    /// The packet could not be rewritten or sealed: a bug of ours, never seen so far.
    Unsealed,
    /// The send arena is full.
    ArenaFull,
    /// The queue towards the control plane is full.
    ControlFull,
    /// The ring to another shard is full: a picture was left out, and all up to the next keyframe.
    LinkFull,
    /// There is not even room for sound in it.
    LinkFullSound,
    /// Nor for a datagram of a peer that lives there.
    HandOverFull,
    /// A program that reads a track has not taken what came before.
    TapFull,
    /// A message over a data channel that may lose some, above what its sender may send.
    DataRate,
    /// A message for a data channel whose peer does not take what it is sent.
    DataSlow,
    /// A message for a peer without such a data channel.
    DataClosed,
}

impl DropReason {
    /// All of them, in the order of [`Counters::drops`].
    pub const ALL: [Self; 30] = [
        Self::Unclassified,
        Self::Stun,
        Self::UnknownUser,
        Self::Unauthenticated,
        Self::AddressTaken,
        Self::UnvalidatedAddress,
        Self::NoKeys,
        Self::Unopened,
        Self::TooManySources,
        Self::MalformedRtp,
        Self::MalformedRtcp,
        Self::UnknownSource,
        Self::UnknownPayloadType,
        Self::MalformedRepair,
        Self::Duplicate,
        Self::Late,
        Self::Oversized,
        Self::Muted,
        Self::NoCommonCodec,
        Self::SubscriberUnreachable,
        Self::Unsealed,
        Self::ArenaFull,
        Self::ControlFull,
        Self::LinkFull,
        Self::LinkFullSound,
        Self::HandOverFull,
        Self::TapFull,
        Self::DataRate,
        Self::DataSlow,
        Self::DataClosed,
    ];

    /// Its name as a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unclassified => "unclassified",
            Self::Stun => "stun",
            Self::UnknownUser => "unknown_user",
            Self::Unauthenticated => "unauthenticated",
            Self::AddressTaken => "address_taken",
            Self::UnvalidatedAddress => "unvalidated_address",
            Self::NoKeys => "no_keys",
            Self::Unopened => "unopened",
            Self::TooManySources => "too_many_sources",
            Self::MalformedRtp => "malformed_rtp",
            Self::MalformedRtcp => "malformed_rtcp",
            Self::UnknownSource => "unknown_source",
            Self::UnknownPayloadType => "unknown_payload_type",
            Self::MalformedRepair => "malformed_repair",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Oversized => "oversized",
            Self::Muted => "muted",
            Self::NoCommonCodec => "no_common_codec",
            Self::SubscriberUnreachable => "subscriber_unreachable",
            Self::Unsealed => "unsealed",
            Self::ArenaFull => "arena_full",
            Self::ControlFull => "control_full",
            Self::LinkFull => "link_full",
            Self::LinkFullSound => "link_full_sound",
            Self::HandOverFull => "hand_over_full",
            Self::TapFull => "tap_full",
            Self::DataRate => "data_rate",
            Self::DataSlow => "data_slow",
            Self::DataClosed => "data_closed",
        }
    }
}

/// What one peer was sent under transport-wide numbers, and what it said of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Packets that were sent.
    pub sent: u64,
    /// Their bytes, with header and tag.
    pub sent_bytes: u64,
    /// Packets that it reported as arrived.
    pub acknowledged: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Packets that it reported as lost, and not as arrived later.
    pub lost: u64,
    /// From the newest packet of the last report to that report: with the time that the peer held
    /// it back, up to 100 ms.
    pub round_trip: Option<std::time::Duration>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the shard began.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            /// Drops by reason; see [`Counters::dropped`].
            pub drops: [u64; DropReason::ALL.len()],
            /// In the order of [`Measure::ALL`].
            pub histograms: [Histogram; Measure::ALL.len()],
        }

        /// Copy of [`Counters`] that other threads read.
        #[derive(Debug, Default)]
        pub struct Mirror {
            $($name: AtomicU64,)*
            drops: [AtomicU64; DropReason::ALL.len()],
            histograms: [Mirrored; Measure::ALL.len()],
        }

        impl Mirror {
            /// Takes over the shard's numbers.
            pub fn store(&self, counters: &Counters) {
                $(self.$name.store(counters.$name, Ordering::Relaxed);)*
                for (mirror, &count) in self.drops.iter().zip(&counters.drops) {
                    mirror.store(count, Ordering::Relaxed);
                }
                let histograms = self.histograms.iter().zip(&counters.histograms);
                histograms.for_each(|(mirror, histogram)| mirror.store(histogram));
            }

            /// The numbers as last stored.
            #[must_use]
            pub fn load(&self) -> Counters {
                let mut counters = Counters::default();
                $(counters.$name = self.$name.load(Ordering::Relaxed);)*
                for (count, mirror) in counters.drops.iter_mut().zip(&self.drops) {
                    *count = mirror.load(Ordering::Relaxed);
                }
                counters.histograms = self.histograms.each_ref().map(Mirrored::load);
                counters
            }
        }

        impl Counters {
            /// Adds the numbers of another shard.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
                for (count, other) in self.drops.iter_mut().zip(&other.drops) {
                    *count += other;
                }
                for (histogram, other) in self.histograms.iter_mut().zip(&other.histograms) {
                    histogram.add(other);
                }
            }

            /// Name and value of every total but the drops, for the metrics page.
            pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams of any kind that came in.
    datagrams_in,
    /// Their bytes.
    bytes_in,
    /// Media packets that were accepted into a ring.
    packets_in,
    /// Media packets that were sealed for a subscriber.
    packets_out,
    /// Of these, packets that got one byte of padding.
    padded,
    /// Bytes of everything that was handed to the sockets.
    bytes_out,
    /// Runs that were handed to the sockets: messages to the kernel, where it can segment.
    runs_out,
    /// Lost packets that publishers were asked for again.
    nacks_sent,
    /// Lost packets that subscribers asked for again.
    nacks_received,
    /// Lost packets that subscribers asked for too often or too many at once.
    nacks_refused,
    /// Packets that were sent again.
    resent,
    /// Packets that a publisher repaired (RFC 4588).
    repaired,
    /// Keyframe requests sent to publishers.
    plis_sent,
    /// Keyframe requests of subscribers.
    plis_received,
    /// Of them, those of subscribers who ask too often.
    plis_refused,
    /// Changes of an edge to another layer.
    layer_switches,
    /// Subscribers that began with a keyframe from the ring.
    started_from_ring,
    /// Transport-wide feedback messages sent.
    feedback_sent,
    /// Media packets that were copied to another shard.
    relayed_out,
    /// Media packets that came from another shard.
    relayed_in,
    /// Datagrams of peers of other shards that were handed over to these.
    handed_over,
    /// Panics in shards that were caught; each ended at most one peer.
    panics,
    /// Transport-wide feedback messages of subscribers.
    feedback_received,
    /// Packets of which subscribers reported the arrival.
    acknowledged,
    /// Packets that subscribers reported as lost; some of them arrive later.
    reported_lost,
    /// Packets of microphones that were not among the loudest of their room: kept, not forwarded.
    packets_unheard,
    /// Packets of layers that a subscriber is not sent.
    packets_unwanted,
    /// Bytes of padding that probed the networks of subscribers.
    probed_bytes,
    /// Empty packets in the place of some that were left out after later ones had been sent.
    filled,
    /// Microphones that entered or left the loudest of their room.
    stage_changes,
    /// Timers of peers, tracks and edges that were looked at.
    timers_run,
    /// Panics in handshakes that were caught; each ended one peer.
    handshake_panics,
    /// Media packets that were copied for programs of this process.
    tapped,
    /// Messages that came over data channels.
    data_messages_in,
    /// Their bytes.
    data_bytes_in,
    /// Messages that were sent over data channels.
    data_messages_out,
    /// Their bytes.
    data_bytes_out,
    /// Data channels that were opened.
    data_channels_opened,
    /// Data channels that were closed.
    data_channels_closed,
    /// Of these, because the peer did not take what it was sent.
    data_channels_slow,
    /// Addresses that peers have validated, now.
    paths,
    /// Peers now.
    peers,
    /// Tracks now.
    tracks,
    /// Edges now.
    edges,
    /// Tracks of other shards that are mirrored now.
    mirrors,
}

impl Counters {
    /// Counts one drop.
    pub fn drop_one(&mut self, reason: DropReason) {
        if let Some(count) = self.drops.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Counts a value that was measured, in millionths of its unit.
    pub(crate) fn record(&mut self, measure: Measure, value: u64) {
        if let Some(histogram) = self.histograms.get_mut(measure as usize) {
            histogram.record(measure, value);
        }
    }

    /// Adds what the data channels of a peer have done since it was last asked.
    pub fn add_data(&mut self, data: &DataStats) {
        self.data_messages_in += data.messages_received;
        self.data_bytes_in += data.bytes_received;
        self.data_messages_out += data.messages_sent;
        self.data_bytes_out += data.bytes_sent;
        self.data_channels_opened += data.opened;
        self.data_channels_closed += data.closed;
        self.data_channels_slow += data.closed_slow;
        let drops = [
            (DropReason::DataRate, data.dropped_rate),
            (DropReason::DataSlow, data.dropped_slow),
            (DropReason::DataClosed, data.dropped_closed),
        ];
        for (reason, dropped) in drops {
            if let Some(count) = self.drops.get_mut(reason as usize) {
                *count += dropped;
            }
        }
    }

    /// How many were dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_gives_back_what_was_stored() {
        let mut counters = Counters { packets_in: 7, ..Counters::default() };
        counters.drop_one(DropReason::Late);
        let mirror = Mirror::default();
        mirror.store(&counters);
        assert_eq!(mirror.load(), counters);
        assert_eq!(mirror.load().dropped(DropReason::Late), 1);
        let mut sum = mirror.load();
        sum.add(&counters);
        assert_eq!((sum.packets_in, sum.dropped(DropReason::Late)), (14, 2));
    }

    #[test]
    fn every_reason_has_its_own_counter() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.label());
        }
    }
}
