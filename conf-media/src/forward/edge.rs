//! One track at one subscriber: how its packets are rewritten there, and what was sent.

use std::time::{Duration, Instant};

use crate::allocate::Target;
use crate::codec::dependency::Layer;
use crate::codec::numbers;
use crate::command::{Kind, Preference, Publication, Subscription};
use crate::egress::Destination;
use crate::peer::{Allowance, Peer};
use crate::rtcp::ReportBlock;
use crate::rtp::Header;
use crate::shard::wheel::Timer;
use crate::slab::Key;
use crate::stats::report::Asked;
use crate::track::Track;
use crate::track::ring::Stored;

use super::layers::MAX_ENCODINGS;
use super::mapping::{Format, Layout, Own, formats};
use super::outgoing::{Content, Rewritten};
use super::resend::{Again, Epoch, Record, Sent};
use super::rewrite::{Place, Rewriter, Splice, Stopped};
use super::select::{Choice, Selector};
use super::{Packet, Source};

/// One track at one subscriber.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) track: Key<Track>,
    pub(crate) subscriber: Key<Peer>,
    pub(crate) subscription: Subscription,
    pub(crate) still: Still,
    pub(crate) preference: Preference,
    /// The encoding and its layers that are to be sent at most.
    pub(crate) target: Target,
    /// The encoding that is sent; `None` while waiting for a place to begin.
    pub(crate) source: Option<usize>,
    pub(crate) report: EdgeReport,
    /// Keyframes that its subscriber asks for.
    pub(crate) keyframes: Allowance,
    /// Its place in the timing wheel.
    pub(crate) timer: Timer,
    formats: Vec<Format>,
    /// The subscriber may ask for packets again.
    resends: bool,
    pub(super) layout: Layout,
    stream: Stream,
    lane: Lane,
}

/// Why nothing is sent for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Still {
    /// Its subscriber hides it.
    pub(crate) paused: bool,
    /// Its subscriber's network does not take it.
    pub(crate) starved: bool,
}

/// How the datagrams of an edge share messages to the kernel.
#[derive(Clone, Copy, Debug)]
struct Lane {
    /// Video has a slot of its own, so that a picture is not torn apart by what comes between;
    /// all sound of a subscriber shares one.
    slot: Option<u32>,
    /// Packets may be evened out by a byte.
    padding: bool,
}

/// The numbering of what is sent.
#[derive(Debug)]
struct Stream {
    rewriter: Rewriter,
    numbers: numbers::Rewriter,
    selector: Selector,
    epoch: Epoch,
    /// Newest frame number sent in a dependency descriptor.
    frame: Option<u16>,
    /// The encoding that timestamps were last rewritten from.
    timeline: Option<usize>,
    record: Record,
    repair_sequence: u16,
}

/// What sender reports say about an edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EdgeReport {
    /// When the next one is due; `None` before the first packet.
    pub(crate) due: Option<Instant>,
    pub(crate) packets: u32,
    /// Of their payload.
    pub(crate) bytes: u64,
    /// Middle bits of the last one's NTP time, and when it went out.
    pub(crate) sent: Option<(u32, Instant)>,
    pub(crate) round_trip: Option<Duration>,
    pub(crate) asked: Asked,
    /// What the subscriber last reported.
    pub(crate) remote: Option<ReportBlock>,
}

impl Edge {
    /// An edge that waits; it continues what was sent `before`: where its media stopped, and the last
    /// number of its retransmissions.
    pub(crate) fn new(
        track: (Key<Track>, &Publication),
        subscriber: Key<Peer>,
        subscription: Subscription,
        before: (Stopped, u16),
    ) -> Self {
        let (track, publication) = track;
        let (before, last_repair) = before;
        let mut edge = Self {
            track,
            subscriber,
            still: Still::default(),
            preference: Preference::default(),
            target: Target::BEST,
            source: None,
            report: EdgeReport::default(),
            keyframes: Allowance::default(),
            timer: Timer::NONE,
            formats: Vec::new(),
            resends: false,
            layout: Layout::new(publication.extensions, subscription.extensions, subscription.mid),
            lane: Lane { slot: None, padding: false },
            stream: Stream {
                rewriter: Rewriter::new(before),
                numbers: numbers::Rewriter::new(),
                selector: Selector::default(),
                epoch: Epoch::default(),
                frame: None,
                timeline: None,
                record: Record::new(match publication.kind {
                    Kind::Audio => AUDIO_RECORD,
                    Kind::Video => VIDEO_RECORD,
                }),
                repair_sequence: last_repair,
            },
            subscription,
        };
        edge.describe(publication);
        edge
    }

    /// Publication or subscription changed: the mapping is made anew. What was sent before is not
    /// sent again, for it would not be the same bytes.
    pub(crate) fn describe(&mut self, publication: &Publication) {
        self.stream.record.clear();
        self.formats = formats(&publication.codecs, &self.subscription.codecs);
        self.resends = self.formats.iter().any(|format| format.resend);
        let Subscription { extensions, mid, .. } = &self.subscription;
        self.layout = Layout::new(publication.extensions, *extensions, *mid);
    }

    /// The edge got this key: pictures are collected under a slot of their own.
    pub(crate) fn set_key(&mut self, key: Key<Self>, kind: Kind) {
        self.lane.slot = (kind == Kind::Video).then(|| key.slot().saturating_mul(2) | 1);
    }

    /// Packets may be evened out by a byte, or no longer. What was sent before is not sent again,
    /// for it would not be the same bytes.
    pub(crate) fn set_padding(&mut self, padding: bool) {
        if std::mem::replace(&mut self.lane.padding, padding) != padding {
            self.stream.record.clear();
        }
    }

    /// Where a packet goes, and whether others follow that may leave with it.
    pub(crate) fn destination(&self, peer: Destination, marker: bool) -> (Destination, bool) {
        match self.lane.slot {
            Some(slot) => (Destination { slot, ..peer }, !marker),
            None => (peer, true),
        }
    }

    /// Packets carry a transport-wide number.
    pub(crate) fn has_transport(&self) -> bool {
        self.layout.has_transport()
    }

    /// From now on nothing is sent until another beginning.
    pub(crate) fn stop(&mut self) {
        self.source = None;
    }

    /// It is hidden or muted for a while: what was sent is not asked for any more.
    pub(crate) fn rest(&mut self) {
        self.stop();
        self.stream.record.clear();
    }

    /// The packets of an encoding are gone, and its timestamps begin anew.
    pub(crate) fn forget(&mut self, encoding: usize) {
        self.stream.record.forget(encoding);
        if self.source == Some(encoding) {
            self.source = None;
        }
        if self.stream.timeline == Some(encoding) {
            self.stream.timeline = None;
        }
    }

    /// Sending goes on, or begins, with this packet of an encoding.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        encoding: usize,
        splice: Splice,
        first: &Packet<'_>,
    ) {
        let stream = &mut self.stream;
        stream.rewriter.splice(now, splice);
        stream.numbers.switch();
        stream.selector.want(self.target.layer);
        stream.selector.begin();
        let number = first.carried.frame_number().filter(|_| self.layout.has_descriptor());
        let frame_offset = match (stream.frame, number) {
            (Some(last), Some(first)) => last.wrapping_add(1).wrapping_sub(first),
            _ => 0,
        };
        stream.epoch =
            Epoch { encoding, timestamp_offset: stream.rewriter.timestamp(0), frame_offset };
        stream.record.begin(stream.epoch);
        stream.timeline = Some(encoding);
        self.source = Some(encoding);
        // The subscriber learns soon how the new source's timestamps lie.
        self.report.due = self.report.due.map(|due| due.min(now));
    }

    /// It is hidden, or its subscriber's network does not take it.
    #[inline]
    pub(crate) fn is_still(&self) -> bool {
        self.still.paused || self.still.starved
    }

    /// Of the encodings to be sent under each limit, the one for this edge.
    #[inline]
    pub(crate) fn goal(&self, goals: &[Option<usize>; MAX_ENCODINGS]) -> Option<usize> {
        goals.get(self.target.encoding.min(MAX_ENCODINGS - 1)).copied().flatten()
    }

    /// Its target changed, which means the encoding `goal` now. On the way down to another
    /// encoding, which begins with its next keyframe, the present one is thinned out at once.
    pub(crate) fn aim(&mut self, goal: Option<usize>) {
        let wanted = match (self.source, goal) {
            (Some(source), Some(goal)) if goal < source => Layer { temporal: 0, ..Layer::ALL },
            (Some(source), Some(goal)) if goal > source => Layer::ALL,
            _ => self.target.layer,
        };
        self.stream.selector.want(wanted);
    }

    /// Only a keyframe brings the layers that are wanted.
    #[inline]
    pub(super) fn needs_keyframe(&self, source: &Source<'_>) -> bool {
        !self.stream.selector.is_whole() && self.lacks_layers(source.top())
    }

    /// The same; `top` are the layers that there are.
    pub(super) fn lacks_layers(&self, top: Layer) -> bool {
        self.stream.selector.needs_keyframe(top)
    }

    /// Whether a packet is part of what the subscriber is to get.
    #[inline]
    pub(crate) fn choose(&mut self, packet: &Packet<'_>) -> Choice {
        let stream = &mut self.stream;
        if stream.selector.is_whole() && !stream.rewriter.leaves_out() {
            return Choice::Send { last: false };
        }
        let entry = packet.stored.entry;
        let newest = stream.rewriter.is_newest(packet.stored.sequence);
        if !newest && stream.rewriter.is_left_out(entry.view.timestamp) {
            return Choice::Skip;
        }
        let place = (packet.stored.sequence, newest);
        stream.selector.choose(&entry.picture, packet.structure, place)
    }

    /// How a packet leaves; `None` if it is not part of the stream (too old, or left out). `last`:
    /// it ends its picture here, though more of it came.
    #[inline]
    pub(crate) fn rewrite(
        &mut self,
        format: Format,
        packet: &Packet<'_>,
        last: bool,
    ) -> Option<Rewritten> {
        let stream = &mut self.stream;
        let Place { sequence, pictures } = stream.rewriter.place(packet.stored.sequence)?;
        let entry = packet.stored.entry;
        let view = &entry.view;
        let numbers = match &entry.picture.numbers {
            Some(descriptor) => Some(stream.numbers.forward(descriptor, pictures)?),
            None => None,
        };
        let header = Header {
            marker: view.marker || last,
            payload_type: format.to,
            sequence: low_16(sequence),
            timestamp: stream.rewriter.timestamp(view.timestamp),
            ssrc: self.subscription.ssrc,
        };
        Some(Rewritten {
            numbers,
            own: Own { transport: 0, frame_offset: stream.epoch.frame_offset },
            padded: entry.uneven && self.lane.padding,
            ..Rewritten::plain(header, sequence)
        })
    }

    /// A packet was handed to the sockets.
    pub(crate) fn sent(&mut self, now: Instant, packet: &Packet<'_>, rewritten: &Rewritten) {
        let stream = &mut self.stream;
        let Rewritten { header, sequence, own, .. } = rewritten;
        stream.rewriter.sent(now, packet.stored.sequence, *sequence, header.timestamp);
        let numbers = rewritten.numbers.unwrap_or_default();
        if self.resends {
            let ends = header.marker && !packet.stored.entry.view.marker;
            let sent =
                Sent { source: packet.stored.sequence, numbers, transport: own.transport, ends };
            stream.record.push(header.sequence, sent);
        }
        if self.layout.has_descriptor()
            && let Some(number) = packet.carried.frame_number()
        {
            stream.frame = Some(number.wrapping_add(own.frame_offset));
        }
        let payload = packet.stored.entry.view.payload_range().len();
        self.report.packets = self.report.packets.wrapping_add(1);
        self.report.bytes += payload as u64;
        if self.report.due.is_none() {
            self.report.due = Some(now);
        }
    }

    /// A packet is left out on purpose. `false` if it has a number already, because later ones were
    /// sent: then something must go out under it, or the subscriber asks for it in vain.
    pub(crate) fn skip(&mut self, packet: &Packet<'_>) -> bool {
        let Stored { sequence, entry, .. } = packet.stored;
        let dense = entry.picture.numbers.is_some_and(|numbers| numbers.dense);
        let picture = dense && !entry.view.payload_range().is_empty();
        let rewriter = &mut self.stream.rewriter;
        let left_out = rewriter.skip(sequence, picture.then_some(entry.view.timestamp));
        left_out || rewriter.place(sequence).is_none()
    }

    /// An empty packet in the place of one that is left out too late.
    pub(crate) fn fill(&self, format: Format, packet: &Packet<'_>) -> Option<Rewritten> {
        let rewriter = &self.stream.rewriter;
        let sequence = rewriter.place(packet.stored.sequence)?.sequence;
        let header = Header {
            marker: false,
            payload_type: format.to,
            sequence: low_16(sequence),
            timestamp: rewriter.timestamp(packet.stored.entry.view.timestamp),
            ssrc: self.subscription.ssrc,
        };
        let fill = Rewritten {
            padded: true,
            content: Content::Empty,
            ..Rewritten::plain(header, sequence)
        };
        Some(fill)
    }

    /// A subscriber asks for a packet that it did not get.
    pub(crate) fn ask(&mut self, now: Instant, out: u16) -> Option<Again> {
        let damping = self.report.round_trip.unwrap_or(DAMPING).clamp(MIN_DAMPING, MAX_DAMPING);
        self.stream.record.ask(now, out, damping)
    }

    /// How a packet leaves once more: over the stream of retransmissions, if there is one.
    pub(crate) fn rewrite_again(
        &mut self,
        out: u16,
        again: &Again,
        packet: &Packet<'_>,
    ) -> Option<Rewritten> {
        let entry = packet.stored.entry;
        let view = &entry.view;
        let format = self.format(view.payload_type).filter(|format| format.resend)?;
        let mut header = Header {
            marker: view.marker || again.ends,
            payload_type: format.to,
            sequence: out,
            timestamp: view.timestamp.wrapping_add(again.epoch.timestamp_offset),
            ssrc: self.subscription.ssrc,
        };
        let mut original = None;
        if let (Some(ssrc), Some(payload_type)) = (self.subscription.rtx_ssrc, format.repair) {
            self.stream.repair_sequence = self.stream.repair_sequence.wrapping_add(1);
            header.ssrc = ssrc;
            header.payload_type = payload_type;
            header.sequence = self.stream.repair_sequence;
            original = Some(out);
        }
        // Under the number of before it is sealed with the index of before, so that each of its
        // bytes must be the same: the transport-wide number, too, and the padding.
        let repeats = original.is_none();
        Some(Rewritten {
            header,
            sequence: u64::from(header.sequence),
            numbers: Some(again.numbers),
            own: Own { transport: again.transport, frame_offset: again.epoch.frame_offset },
            padded: repeats && entry.uneven && self.lane.padding,
            original,
            content: if repeats { Content::Repeated } else { Content::Payload },
        })
    }

    /// Padding may be sent: over retransmissions, under transport-wide numbers.
    pub(crate) fn can_pad(&self) -> bool {
        let repair = self.formats.iter().any(|format| format.repair.is_some());
        repair && self.subscription.rtx_ssrc.is_some() && self.has_transport()
    }

    /// The next packet of nothing but padding, over the stream of retransmissions.
    pub(crate) fn padding(&mut self) -> Option<Rewritten> {
        let ssrc = self.subscription.rtx_ssrc?;
        let payload_type = self.formats.iter().find_map(|format| format.repair)?;
        let stream = &mut self.stream;
        stream.repair_sequence = stream.repair_sequence.wrapping_add(1);
        let (timestamp, _) = stream.rewriter.stopped().time?;
        let sequence = stream.repair_sequence;
        let header = Header { marker: false, payload_type, sequence, timestamp, ssrc };
        let content = Content::Empty;
        Some(Rewritten { content, ..Rewritten::plain(header, u64::from(sequence)) })
    }

    /// The subscriber takes a payload type of the publisher.
    pub(crate) fn format(&self, payload_type: u8) -> Option<Format> {
        self.formats.iter().find(|format| format.from == payload_type).copied()
    }

    /// The subscriber takes nothing of what the publisher may send.
    pub(crate) fn is_mute(&self) -> bool {
        self.formats.is_empty()
    }

    /// The encoding whose numbering the outgoing timestamps follow.
    pub(crate) fn timeline(&self) -> Option<usize> {
        self.stream.timeline
    }

    /// What is added to the timestamps of the present source.
    pub(crate) fn timestamp_offset(&self) -> u32 {
        self.stream.epoch.timestamp_offset
    }

    /// Where media and retransmissions are now.
    pub(crate) fn stopped(&self) -> (Stopped, Stopped) {
        let repair = Stopped { sequence: self.stream.repair_sequence, time: None };
        (self.stream.rewriter.stopped(), repair)
    }
}

fn low_16(number: u64) -> u16 {
    crate::seq::Unwrapper::wrapped(number)
}

const VIDEO_RECORD: usize = 512;
const AUDIO_RECORD: usize = 64;
const DAMPING: Duration = Duration::from_millis(50);
const MIN_DAMPING: Duration = Duration::from_millis(15);
const MAX_DAMPING: Duration = Duration::from_millis(300);
