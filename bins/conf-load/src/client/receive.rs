//! The receiving half of a subscriber: counts every packet, opens some, reports back.

use std::time::{Duration, Instant};

use conf_media::codec::Codec;
use conf_media::command::Kind;
use conf_media::rtcp::{self, Packet, TransportRecorder, write};
use conf_media::rtp::{self, View};
use conf_media::srtp::Opener;

use super::counts::{Counts, Step};
use super::stream::{Place, Stream};
use crate::sdp::{Remote, TWCC_URI};
use crate::stamp::Stamp;

/// How a subscriber behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Asks again for what is missing.
    pub nack: bool,
    /// Which packets are opened and authenticated.
    pub opens: Opens,
    /// Its latency counts.
    pub measured: bool,
}

/// Which packets a subscriber opens, beside those until its first keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// One of eight.
    Some,
    /// Every one.
    All,
}

pub(super) struct Receiver {
    manners: Manners,
    audio: Option<u8>,
    video: Option<u8>,
    rtx: Option<u8>,
    /// Extension id of transport-wide numbers, and what came.
    transport: Option<(u8, TransportRecorder)>,
    streams: Vec<Stream>,
    /// Where the last packet's stream is.
    last: usize,
    packets: u64,
    /// Our own source in reports.
    own: u32,
    report_at: Instant,
    /// Time between two requests for a keyframe, in a storm of them.
    storm: Option<Duration>,
    /// Reports for the server, not sealed yet.
    pub(super) outgoing: Vec<u8>,
    pub(super) news: Vec<Step>,
}

impl Receiver {
    pub(super) fn new(remote: &Remote, manners: Manners, (own, now): (u32, Instant)) -> Self {
        let of = |kind| remote.sections.iter().find(move |section| section.kind == kind);
        let transport = remote.sections.iter().find_map(|section| section.extension(TWCC_URI));
        Self {
            manners,
            audio: of(Kind::Audio).and_then(|section| section.media),
            video: of(Kind::Video).and_then(|section| section.media),
            rtx: of(Kind::Video).and_then(|section| section.rtx),
            transport: transport.map(|id| (id, TransportRecorder::new())),
            streams: Vec::new(),
            last: 0,
            packets: u64::from(own), // spreads which packets are opened
            own,
            report_at: now + REPORTS,
            storm: None,
            outgoing: Vec::new(),
            news: Vec::new(),
        }
    }

    /// An SRTP packet that came at `now`, stamped by the kernel with `nanos`.
    pub(super) fn rtp(
        &mut self,
        (now, nanos): (Instant, u64),
        packet: &mut [u8],
        opener: &mut Opener,
        counts: &mut Counts,
    ) {
        let Ok(view) = rtp::parse_header(packet) else { return };
        if let Some((id, recorder)) = &mut self.transport
            && let Some(&[high, low]) = view.extension(packet, *id)
        {
            recorder.record(u16::from_be_bytes([high, low]), now);
        }
        if Some(view.payload_type) == self.rtx {
            counts.totals.retransmitted += 1;
            return self.repaired(now, packet, opener, counts);
        }
        let Some(at) = self.stream(&view) else { return };
        self.count(at, &view, (now, counts));
        let Some(stream) = self.streams.get(at) else { return };
        let all = self.manners.opens == Opens::All;
        let open = all || !stream.keyframe || self.packets.is_multiple_of(8);
        self.packets = self.packets.wrapping_add(1);
        if open {
            self.open((now, nanos, at), packet, opener, counts);
        }
    }

    /// The server's reports.
    pub(super) fn rtcp(&mut self, now: Instant, compound: &[u8]) {
        for packet in rtcp::walk(compound).flatten() {
            if let Packet::SenderReport { ssrc, ntp, .. } = packet
                && let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc)
            {
                stream.stats.record_sender_report(ntp, now);
            }
        }
    }

    /// After a batch: asks for what it shows to be missing.
    pub(super) fn settle(&mut self, now: Instant) {
        let mut lost = Vec::new();
        for stream in &mut self.streams {
            let Some(missing) = stream.missing.as_mut().filter(|missing| missing.waiting() > 0)
            else {
                continue;
            };
            lost.clear();
            missing.poll(now, &mut lost);
            write::nack(&mut self.outgoing, self.own, stream.ssrc, &lost);
        }
    }

    /// Reports that are due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.report_at {
            self.report_at = now + REPORTS;
            let blocks: Vec<_> = self
                .streams
                .iter_mut()
                .filter_map(|stream| stream.stats.report(stream.ssrc, now))
                .collect();
            for blocks in blocks.chunks(write::MAX_BLOCKS) {
                write::receiver_report(&mut self.outgoing, self.own, blocks);
            }
        }
        if let Some((_, recorder)) = &mut self.transport {
            let media = self.streams.first().map_or(0, |stream| stream.ssrc);
            recorder.poll_feedback(now, self.own, media, &mut self.outgoing); // the rest comes next
        }
        if let Some(every) = self.storm {
            let (own, mut asked) = (self.own, Vec::new());
            for stream in self.cameras().filter(|it| it.ask_at.is_none_or(|at| now >= at)) {
                stream.ask_at = Some(now + every);
                asked.push(stream.ssrc);
            }
            asked.iter().for_each(|ssrc| write::pli(&mut self.outgoing, own, *ssrc));
        }
    }

    /// Asks for a keyframe again and again, or no longer.
    pub(super) fn storm(&mut self, every: Option<Duration>, first: Instant) {
        self.storm = every;
        for stream in self.cameras() {
            stream.ask_at = every.map(|_| first);
        }
    }

    pub(super) fn timeout(&self) -> Instant {
        let feedback = self.transport.as_ref().and_then(|(_, recorder)| recorder.timeout());
        let storm =
            self.storm.and_then(|_| self.streams.iter().filter_map(|stream| stream.ask_at).min());
        [feedback, storm].into_iter().flatten().fold(self.report_at, Instant::min)
    }

    fn cameras(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.streams.iter_mut().filter(|stream| stream.kind == Kind::Video)
    }

    /// Where the packet's stream is; a new one for a new source of a known payload type.
    fn stream(&mut self, view: &View) -> Option<usize> {
        if self.streams.get(self.last).is_some_and(|stream| stream.ssrc == view.ssrc) {
            return Some(self.last);
        }
        let found = self.streams.iter().position(|stream| stream.ssrc == view.ssrc);
        self.last = match found {
            Some(at) => at,
            None => {
                let kind = match Some(view.payload_type) {
                    number if number == self.audio => Kind::Audio,
                    number if number == self.video => Kind::Video,
                    _ => return None,
                };
                if self.streams.is_empty() {
                    self.news.push(Step::FirstPacket);
                }
                self.streams.push(Stream::new(view.ssrc, kind, self.manners.nack));
                self.streams.len() - 1
            }
        };
        Some(self.last)
    }

    fn count(&mut self, at: usize, view: &View, (now, counts): (Instant, &mut Counts)) {
        let Some(stream) = self.streams.get_mut(at) else { return };
        let totals = &mut counts.totals;
        match stream.place(view.sequence) {
            Place::Ahead(skipped) => totals.gaps = totals.gaps.wrapping_add(skipped),
            Place::Late => totals.gaps = totals.gaps.wrapping_sub(1),
            Place::Again => {
                totals.duplicates += 1;
                return;
            }
        }
        totals.delivered += 1;
        stream.stats.record(view.sequence, view.timestamp, now);
        if let Some(missing) = &mut stream.missing {
            missing.record(view.sequence, now);
        }
    }

    fn open(
        &mut self,
        (now, nanos, at): (Instant, u64, usize),
        packet: &mut [u8],
        opener: &mut Opener,
        counts: &mut Counts,
    ) {
        let Some((stamp, payload)) = opened(packet, opener, counts) else { return };
        let Some(stream) = self.streams.get_mut(at) else { return };
        if !stream.keyframe {
            if Codec::Vp8.describe(payload).keyframe {
                stream.keyframe = true;
                self.news.push(Step::FirstKeyframe);
            } else if stream.ask_at.is_none_or(|ask_at| now >= ask_at) {
                write::pli(&mut self.outgoing, self.own, stream.ssrc);
                stream.ask_at = Some(now + ASK_AGAIN);
            }
        }
        if let Some(stamp) = stamp.filter(|_| self.manners.measured && nanos > 0) {
            counts.latency_us.saturating_record(nanos.saturating_sub(stamp.sent_nanos) / 1_000);
        }
    }

    /// A retransmission: its payload begins with the number that was missing (RFC 4588).
    fn repaired(
        &mut self,
        now: Instant,
        packet: &mut [u8],
        opener: &mut Opener,
        counts: &mut Counts,
    ) {
        let Some((_, payload)) = opened(packet, opener, counts) else { return };
        let Some(sequence) = payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)) else {
            return;
        };
        // With several cameras the one that waits for this number is meant.
        for stream in &mut self.streams {
            let Some(missing) = &mut stream.missing else { continue };
            let before = missing.waiting();
            missing.record(sequence, now);
            if missing.waiting() < before && stream.place(sequence) == Place::Late {
                counts.totals.gaps = counts.totals.gaps.wrapping_sub(1);
                counts.totals.delivered += 1;
                return;
            }
        }
    }
}

/// Opens a packet; its stamp and its payload.
fn opened<'a>(
    packet: &'a mut [u8],
    opener: &mut Opener,
    counts: &mut Counts,
) -> Option<(Option<Stamp>, &'a [u8])> {
    counts.totals.opened += 1;
    let opened = opener.open_rtp(packet).ok().and_then(|length| packet.get(..length));
    let Some(plain) = opened else {
        counts.totals.forged += 1;
        return None;
    };
    let payload = rtp::parse(plain).ok()?.payload(plain);
    Some((Stamp::read(payload), payload))
}

/// RFC 3550 asks for about 5 s; browsers report video each second.
const REPORTS: Duration = Duration::from_secs(1);
/// A keyframe that did not come is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
