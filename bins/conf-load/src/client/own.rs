//! What this program costs itself: packets a second that one core of it receives.
//!
//! A thread seals real SRTP for many subscribers of the ordinary kind and sends it as a server
//! would: every subscriber gets a picture of four or five packets 30 times a second. What is
//! measured is the processor time of the receiving thread, so the figure says at which rate the
//! client, not the server, would be the limit.

use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use conf_media::command::{Fingerprint, Kind};
use conf_media::rtp::Header;
use conf_media::srtp::{Keys, MasterKey, Profile, Sealer};

use super::socket::Outbox;
use super::{Fleet, FleetConfig, Manners, Opens, Role};
use crate::clock;
use crate::door::Entered;
use crate::plan::{Own, ShapeKind};
use crate::sdp::{Remote, Section, VP8};
use crate::shape::{Burst, Camera};
use crate::stamp::Stamp;

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Packets that were received a second.
    pub packets_per_second: f64,
    /// Packets that were sent and not received, in percent.
    pub loss_percent: f64,
    /// Processor time of the receiving thread, of one core.
    pub core_percent: f64,
    /// The same for each packet.
    pub us_per_packet: f64,
    /// What one core would take at this cost.
    pub packets_per_second_and_core: f64,
    /// Packets that did not authenticate.
    pub forged: u64,
}

/// Runs for as long as asked.
///
/// # Errors
/// If the system gives no sockets or threads.
pub fn measure(own: &Own) -> anyhow::Result<Cost> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(run(own))
}

async fn run(own: &Own) -> anyhow::Result<Cost> {
    Fleet::make_room(own.subscribers * 2)?;
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let mut fleet = Fleet::start(FleetConfig { ip, suite: own.suite, threads: 1, seed: 1 })?;
    let profile = own.suite.profile();
    let mut flood = Flood::default();
    let opens = if own.check { Opens::All } else { Opens::Some };
    for number in 0..own.subscribers {
        let opened = fleet.open()?;
        let socket = UdpSocket::bind((ip, 0))?;
        socket.connect(opened.local.address)?;
        let (keys, address) = (keys(profile, number), socket.local_addr()?);
        flood.ways.push((socket, Sealer::new(profile, &keys.remote)?));
        let manners = Manners { nack: true, opens, measured: true };
        fleet.begin(opened, &entered(address, keys), Role::Subscriber(manners))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let thread = flood.start(stop.clone())?;
    tokio::time::sleep(WARM_UP).await;
    let (before, busy_before) = fleet.counts().await?;
    let from = clock::now();
    tokio::time::sleep(Duration::from_secs(own.seconds)).await;
    let (after, busy_after) = fleet.counts().await?;
    let seconds = clock::now().saturating_duration_since(from).as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| anyhow::anyhow!("the sending thread panicked"))?;
    let totals = after.totals.since(&before.totals);
    let busy = busy_after.saturating_sub(busy_before).as_secs_f64();
    Ok(Cost::new(totals.delivered, totals.gaps, (busy, seconds), totals.forged))
}

impl Cost {
    fn new(delivered: u64, gaps: u64, (busy, seconds): (f64, f64), forged: u64) -> Self {
        let packets = delivered as f64;
        let us_per_packet = busy * 1e6 / packets.max(1.0);
        Self {
            packets_per_second: packets / seconds,
            loss_percent: 100.0 * gaps as f64 / (packets + gaps as f64).max(1.0),
            core_percent: 100.0 * busy / seconds,
            us_per_packet,
            packets_per_second_and_core: 1e6 / us_per_packet,
            forged,
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets_per_second, loss_percent, core_percent, us_per_packet, .. } = self;
        writeln!(f, "received {packets_per_second:.0} packets/s, {loss_percent:.2} % lost")?;
        writeln!(f, "client {us_per_packet:.2} us per packet, {core_percent:.1} % of a core")?;
        let full = self.packets_per_second_and_core;
        write!(f, "one core of the client takes {full:.0} packets/s")
    }
}

/// The sending side: a socket and keys for each subscriber, as if each had a server of its own.
#[derive(Default)]
struct Flood {
    ways: Vec<(UdpSocket, Sealer)>,
}

impl Flood {
    fn start(mut self, stop: Arc<AtomicBool>) -> anyhow::Result<JoinHandle<()>> {
        let thread = std::thread::Builder::new().name("load-flood".into()).spawn(move || {
            let mut camera = Camera::new(ShapeKind::Even);
            let (mut burst, mut outbox, mut sequence) = (Burst::default(), Outbox::new(), 1);
            let started = clock::now();
            while !stop.load(Ordering::Relaxed) {
                camera.next(false, &mut burst);
                let wait = (started + burst.at).saturating_duration_since(clock::now());
                std::thread::sleep(wait);
                for (socket, sealer) in &mut self.ways {
                    let sealed = picture(&burst, sequence, sealer);
                    let sealed: Vec<&[u8]> = sealed.iter().map(Vec::as_slice).collect();
                    outbox.send(socket, &sealed);
                }
                sequence = sequence.wrapping_add(u16::try_from(burst.sizes.len()).unwrap_or(0));
            }
        })?;
        Ok(thread)
    }
}

/// The packets of one picture for one subscriber.
fn picture(burst: &Burst, first: u16, sealer: &mut Sealer) -> Vec<Vec<u8>> {
    let sent_nanos = clock::wall_nanos();
    let packets = burst.sizes.iter().zip(0u16..).map(|(&size, number)| {
        let header = Header {
            marker: usize::from(number) + 1 == burst.sizes.len(),
            payload_type: VP8,
            sequence: first.wrapping_add(number),
            timestamp: 0,
            ssrc: 1,
        };
        let mut packet = vec![0; HEADER + usize::from(size) + TAG];
        let _ = header.write(&[], &mut packet);
        if let Some(payload) = packet.get_mut(HEADER..HEADER + usize::from(size)) {
            // Every first packet looks like a keyframe's, so that nobody asks for one.
            payload.iter_mut().zip(KEYFRAME).for_each(|(byte, value)| *byte = value);
            Stamp { source: 1, counter: u64::from(number), sent_nanos }.write(payload);
        }
        let sealed = sealer.seal_rtp(&mut packet, HEADER + usize::from(size)).unwrap_or_default();
        packet.truncate(sealed);
        packet
    });
    packets.collect()
}

/// Some keys for each subscriber; the server's are in `remote`.
fn keys(profile: Profile, number: usize) -> Keys {
    let number = u8::try_from(number % 251).unwrap_or_default();
    let key = |side| MasterKey {
        key: vec![number ^ side; profile.key_len()],
        salt: vec![number ^ side; profile.salt_len()],
    };
    Keys { profile, local: key(1), remote: key(2) }
}

fn entered(address: SocketAddr, keys: Keys) -> Entered {
    let section = Section {
        kind: Kind::Video,
        mid: "0".into(),
        media: Some(VP8),
        rtx: None,
        extensions: Vec::new(),
        ssrcs: Vec::new(),
    };
    let remote = Remote {
        ufrag: String::new(),
        password: String::new(),
        fingerprint: Fingerprint([0; 32]),
        candidates: vec![address],
        sections: vec![section],
    };
    Entered { session: String::new(), remote, keys: Some(keys) }
}

const WARM_UP: Duration = Duration::from_secs(1);
const HEADER: usize = 12;
const TAG: usize = 16;
const KEYFRAME: [u8; 5] = [0x10, 0x10, 0x02, 0x00, 0x9d];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Suite;

    #[test]
    fn what_is_sent_to_itself_arrives_and_authenticates() {
        let own = Own { subscribers: 3, seconds: 1, suite: Suite::Gcm128, check: true };
        let cost = measure(&own).unwrap();
        assert!(cost.packets_per_second > 100.0, "{cost:?}");
        assert_eq!(cost.forged, 0);
        assert!(cost.to_string().contains("one core of the client takes"));
    }

    #[test]
    fn the_cost_is_busy_time_by_packets() {
        let cost = Cost::new(300_000, 100_000, (0.6, 2.0), 0);
        assert_eq!((cost.packets_per_second, cost.loss_percent), (150_000.0, 25.0));
        assert_eq!((cost.core_percent, cost.us_per_packet), (30.0, 2.0));
        assert_eq!(cost.packets_per_second_and_core, 500_000.0);
    }
}
