//! The work itself: each packet that comes in goes out to all who receive it.
//!
//! Runs are those of the server: packets of a camera wait for the end of their picture, packets of
//! a microphone for others that are due within [`HOLD`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conf_media::egress::{Destination, TxBatch};
use conf_media::ingress::RxBatch;
use conf_media::rtcp::write;
use conf_media::srtp::{Opener, Sealer, SrtpError};

use super::wire::Request;

/// How long a datagram waits for others, as in the server.
pub(crate) const HOLD: Duration = Duration::from_millis(1);

/// Who sends and who receives.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    publishers: HashMap<SocketAddr, Publisher>,
    subscribers: Vec<Option<Subscriber>>,
    /// Sources of which more follows in a moment.
    open: Vec<u32>,
    /// Since when the oldest datagram waits.
    since: Option<Instant>,
}

#[derive(Debug)]
struct Publisher {
    id: u64,
    opener: Opener,
    back: Sealer,
    microphones: Vec<u32>,
    cameras: Vec<u32>,
    /// Places in the list of subscribers.
    to: Vec<usize>,
}

#[derive(Debug)]
struct Subscriber {
    id: u64,
    sealer: Sealer,
    to: Destination,
    tag: usize,
}

impl Fanout {
    /// Somebody comes or goes. Whoever a newcomer receives is asked for a keyframe.
    ///
    /// # Errors
    /// [`SrtpError`] if keys do not fit their profile.
    pub(crate) fn handle(&mut self, request: Request, out: &mut TxBatch) -> Result<(), SrtpError> {
        match request {
            Request::Publish { id, from, keys, back, microphones, cameras } => {
                let (profile, master) = keys.read()?;
                let opener = Opener::new(profile, &master)?;
                let (profile, master) = back.read()?;
                let back = Sealer::new(profile, &master)?;
                let to = Vec::new();
                let publisher = Publisher { id, opener, back, microphones, cameras, to };
                self.publishers.insert(from, publisher);
            }
            Request::Subscribe { id, to, keys, of } => {
                let (profile, master) = keys.read()?;
                let sealer = Sealer::new(profile, &master)?;
                let place = self.subscribers.len();
                let slot = u32::try_from(place).unwrap_or(Destination::NO_SLOT);
                let to = Destination { slot, address: to };
                let tag = profile.rtp_tag_len();
                self.subscribers.push(Some(Subscriber { id, sealer, to, tag }));
                for (from, publisher) in &mut self.publishers {
                    if of.contains(&publisher.id) {
                        publisher.to.push(place);
                        publisher.ask_for_keyframes(*from, out);
                    }
                }
            }
            Request::Leave { id } => {
                self.publishers.retain(|_, publisher| publisher.id != id);
                let gone = self.subscribers.iter_mut();
                gone.filter(|it| it.as_ref().is_some_and(|it| it.id == id))
                    .for_each(|place| *place = None);
            }
        }
        Ok(())
    }

    /// Copies and seals every packet of a batch once for each of its subscribers.
    pub(crate) fn forward(&mut self, now: Instant, batch: &mut RxBatch, out: &mut TxBatch) {
        for (from, datagram, _) in batch.iter_mut() {
            let Some(publisher) = self.publishers.get_mut(&from) else { continue };
            let Some(packet) = publisher.open(datagram) else { continue };
            publisher.note(packet, &mut self.open);
            for place in &publisher.to {
                let Some(Some(subscriber)) = self.subscribers.get_mut(*place) else { continue };
                let Subscriber { sealer, to, tag, .. } = subscriber;
                out.write(*to, packet.len() + *tag, |buffer| {
                    buffer.get_mut(..packet.len())?.copy_from_slice(packet);
                    sealer.seal_rtp(buffer, packet.len()).ok()
                });
            }
            if self.since.is_none() && !out.is_empty() {
                self.since = Some(now);
            }
        }
        batch.clear();
    }

    /// Whether what waits is to be sent now; then it counts as sent.
    pub(crate) fn is_due(&mut self, now: Instant, out: &TxBatch) -> bool {
        let due = !out.is_empty()
            && (self.open.is_empty() || self.timeout().is_none_or(|deadline| now >= deadline));
        if due {
            self.open.clear();
            self.since = None;
        }
        due
    }

    /// When the oldest datagram has waited long enough.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.since.map(|since| since + HOLD)
    }
}

impl Publisher {
    fn ask_for_keyframes(&mut self, address: SocketAddr, out: &mut TxBatch) {
        let mut compound = Vec::new();
        self.cameras.iter().for_each(|camera| write::pli(&mut compound, OWN, *camera));
        let len = compound.len();
        let to = Destination { slot: Destination::NO_SLOT, address };
        if len > 0 {
            out.write(to, len + REPORT_ROOM, |buffer| {
                buffer.get_mut(..len)?.copy_from_slice(&compound);
                self.back.seal_rtcp(buffer, len).ok()
            });
        }
    }

    /// The packet inside a datagram; `None` for reports and what does not authenticate.
    fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let second = *datagram.get(1)?;
        if RTCP.contains(&second) {
            return None;
        }
        let len = self.opener.open_rtp(datagram).ok()?;
        datagram.get(..len)
    }

    /// Notes whether more of the same run follows in a moment.
    fn note(&self, packet: &[u8], open: &mut Vec<u32>) {
        let ssrc = packet.get(8..12).and_then(|bytes| bytes.try_into().ok());
        let ssrc = ssrc.map_or(0, u32::from_be_bytes);
        let is_last = packet.get(1).is_some_and(|byte| byte & MARKER != 0);
        open.retain(|source| *source != ssrc);
        if self.microphones.contains(&ssrc) || !is_last {
            open.push(ssrc);
        }
    }
}

/// The second bytes that say RTCP (RFC 5761, section 4).
const RTCP: std::ops::RangeInclusive<u8> = 192..=223;
/// Index and longest tag of a report.
const REPORT_ROOM: usize = 20;
/// The floor's own source in reports.
const OWN: u32 = 1;
/// The bit that ends a picture (RFC 3550, section 5.1).
const MARKER: u8 = 0x80;

#[cfg(test)]
mod tests {
    use conf_media::srtp::{MasterKey, Profile};

    use super::super::wire::WireKeys;
    use super::*;

    const PROFILE: Profile = Profile::AeadAes128Gcm;
    const CAMERA: u32 = 7;
    const MICROPHONE: u32 = 8;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn master(of: u16) -> MasterKey {
        MasterKey { key: vec![of.to_be_bytes()[1]; 16], salt: vec![1; 12] }
    }

    fn keys(of: u16) -> WireKeys {
        WireKeys::new(PROFILE, &master(of))
    }

    /// One publisher on port 1, subscribers on the ports from 100.
    fn room(subscribers: u16) -> Fanout {
        let mut fanout = Fanout::default();
        let microphones = vec![MICROPHONE];
        let (from, cameras) = (address(1), vec![CAMERA]);
        let (keys_in, back) = (keys(1), keys(2));
        let publish = Request::Publish { id: 1, from, keys: keys_in, back, microphones, cameras };
        let mut asked = TxBatch::new();
        fanout.handle(publish, &mut asked).unwrap();
        for port in (100..).take(usize::from(subscribers)) {
            let (id, to) = (u64::from(port), address(port));
            let subscribe = Request::Subscribe { id, to, keys: keys(port), of: vec![1] };
            fanout.handle(subscribe, &mut asked).unwrap();
        }
        assert_eq!(asked.len(), usize::from(subscribers), "a keyframe is asked for each");
        fanout
    }

    fn packets(sealer: &mut Sealer, ssrc: u32, sizes: &[usize]) -> RxBatch {
        let mut batch = RxBatch::new();
        for (number, size) in sizes.iter().enumerate() {
            let mut packet = vec![0; 12 + size];
            packet[0] = 0x80;
            packet[1] = 96 | if number + 1 == sizes.len() { MARKER } else { 0 };
            packet[2..4].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
            packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
            let len = packet.len();
            packet.resize(len + PROFILE.rtp_tag_len(), 0);
            sealer.seal_rtp(&mut packet, len).unwrap();
            batch.push(address(1), &packet, conf_media::net::batch::now().mono);
        }
        batch
    }

    fn runs(batch: &TxBatch) -> Vec<usize> {
        batch.runs().map(|run| run.segments()).collect()
    }

    #[test]
    fn a_picture_of_even_packets_is_one_run_a_subscriber_and_leaves_with_its_last_packet() {
        let now = conf_media::net::batch::now().mono;
        let (mut fanout, mut out) = (room(3), TxBatch::new());
        let mut sealer = Sealer::new(PROFILE, &master(1)).unwrap();
        fanout.forward(now, &mut packets(&mut sealer, CAMERA, &[1200; 5]), &mut out);
        assert_eq!(runs(&out), [5, 5, 5]);
        assert!(fanout.is_due(now, &out));
    }

    #[test]
    fn every_subscriber_opens_its_packets_with_its_own_key() {
        let now = conf_media::net::batch::now().mono;
        let (mut fanout, mut out) = (room(2), TxBatch::new());
        let mut sealer = Sealer::new(PROFILE, &master(1)).unwrap();
        fanout.forward(now, &mut packets(&mut sealer, CAMERA, &[100]), &mut out);
        for (to, datagram) in out.iter() {
            let mut opener = Opener::new(PROFILE, &master(to.port())).unwrap();
            assert_eq!(opener.open_rtp(&mut datagram.to_vec()), Ok(112));
        }
    }

    #[test]
    fn sound_waits_for_more_but_not_longer_than_the_hold() {
        let now = conf_media::net::batch::now().mono;
        let (mut fanout, mut out) = (room(1), TxBatch::new());
        let mut sealer = Sealer::new(PROFILE, &master(1)).unwrap();
        fanout.forward(now, &mut packets(&mut sealer, MICROPHONE, &[120]), &mut out);
        assert!(!fanout.is_due(now, &out));
        assert_eq!(fanout.timeout(), Some(now + HOLD));
        assert!(fanout.is_due(now + HOLD, &out));
    }

    #[test]
    fn who_is_unknown_or_has_left_costs_nothing() {
        let now = conf_media::net::batch::now().mono;
        let (mut fanout, mut out) = (room(1), TxBatch::new());
        let mut sealer = Sealer::new(PROFILE, &master(1)).unwrap();
        fanout.handle(Request::Leave { id: 100 }, &mut out).unwrap();
        fanout.forward(now, &mut packets(&mut sealer, CAMERA, &[100]), &mut out);
        assert!(out.is_empty() && !fanout.is_due(now, &out));
        let mut forged = RxBatch::new();
        forged.push(address(1), &[0x80; 40], now);
        forged.push(address(2), &[0x80; 40], now);
        fanout.forward(now, &mut forged, &mut out);
        assert!(out.is_empty());
    }
}
