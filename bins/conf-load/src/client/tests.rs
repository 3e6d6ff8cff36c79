//! Clients against the real engine, over loopback: checks, handshakes, media, reports.

use std::sync::Mutex;

use conf_media::codec::Codec;
use conf_media::command::{
    Command, Encoding, Event, Extensions, Kind, Label, Payload, PeerId, Publication, RoomId,
    Subscription, TrackId,
};
use conf_media::ice::Credentials;
use conf_media::net::{Media, MediaConfig, start};
use conf_media::sdp::Offer;

use super::*;
use crate::door::{Publish, Source, Subscribe, Terms};
use crate::plan::ShapeKind;
use crate::sdp::{OPUS, VP8, VP8_RTX, offer_of_publisher, offer_of_subscriber};
use crate::shape::{Camera, Microphone};

/// The engine with the least of signalling: everybody is in one room.
struct Server {
    media: Media,
    events: Arc<Mutex<Vec<Event>>>,
    tracks: Vec<(TrackId, Kind)>,
    peers: u64,
}

impl Server {
    fn start() -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = events.clone();
        let config = MediaConfig { seed: 7, loudest: 64, ..MediaConfig::default() };
        let media = start(config, Box::new(move |event| seen.lock().unwrap().push(event))).unwrap();
        Self { media, events, tracks: Vec::new(), peers: 0 }
    }

    /// Adds the peer that offers; what it needs to know of us.
    fn peer(&mut self, offer: &Offer) -> (PeerId, Entered) {
        self.peers += 1;
        let peer = PeerId(self.peers);
        let ufrag = format!("server{}", self.peers);
        let password = "0123456789abcdef01234567".to_owned();
        let credentials = Credentials { ufrag: ufrag.clone(), password: password.clone() };
        self.media.send(Command::AddPeer { peer, room: RoomId(1), credentials });
        let fingerprint = offer.fingerprint;
        self.media.send(Command::ExpectFingerprint { peer, fingerprint });
        let sections = offer.sections.iter().map(|section| {
            let video = section.kind == conf_media::sdp::SectionKind::Video;
            crate::sdp::Section {
                kind: if video { Kind::Video } else { Kind::Audio },
                mid: section.mid.as_str().into(),
                media: Some(if video { VP8 } else { OPUS }),
                rtx: video.then_some(VP8_RTX),
                extensions: section.extmaps.iter().map(|map| (map.id, map.uri.clone())).collect(),
                ssrcs: Vec::new(),
            }
        });
        let remote = Remote {
            ufrag,
            password,
            fingerprint: self.media.fingerprint(),
            candidates: self.media.candidates().iter().take(1).map(|it| it.address).collect(),
            sections: sections.collect(),
        };
        (peer, Entered { session: String::new(), remote, keys: None })
    }

    fn publish(&mut self, wish: &Publish) -> Entered {
        let (peer, entered) = self.peer(&Offer::parse(&offer_of_publisher(wish)).unwrap());
        for (number, source) in wish.sources.iter().enumerate() {
            let track = TrackId(self.peers * 100 + number as u64);
            self.tracks.push((track, source.kind));
            let publication = Publication {
                kind: source.kind,
                mid: label(number),
                encodings: vec![Encoding { rid: None, ssrc: Some(source.ssrc), rtx_ssrc: None }],
                codecs: codecs(source.kind),
                extensions: EXTENSIONS,
                screen: false,
                sizes: Vec::new(),
            };
            self.media.send(Command::Publish { track, peer, publication });
        }
        entered
    }

    fn subscribe(&mut self, wish: &Subscribe) -> Entered {
        let (peer, entered) = self.peer(&Offer::parse(&offer_of_subscriber(wish)).unwrap());
        for (number, (track, kind)) in self.tracks.clone().into_iter().enumerate() {
            let ssrc = 1_000 + 10 * u32::try_from(number).unwrap();
            let subscription = Subscription {
                mid: label(number),
                ssrc,
                rtx_ssrc: (kind == Kind::Video).then_some(ssrc + 1),
                codecs: codecs(kind),
                extensions: EXTENSIONS,
                cname: "test".into(),
            };
            self.media.send(Command::Subscribe { track, peer, subscription });
        }
        entered
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.media.clone().stop();
    }
}

const EXTENSIONS: Extensions = Extensions {
    mid: Some(4),
    rid: None,
    repaired_rid: None,
    audio_level: Some(1),
    transport_cc: Some(3),
    abs_send_time: None,
    abs_capture_time: None,
    video_orientation: None,
    dependency_descriptor: None,
};

fn codecs(kind: Kind) -> Vec<Payload> {
    let (payload_type, codec, clock_rate, rtx) = match kind {
        Kind::Audio => (OPUS, Codec::Opus, 48_000, None),
        Kind::Video => (VP8, Codec::Vp8, 90_000, Some(VP8_RTX)),
    };
    vec![Payload { payload_type, codec, clock_rate, rtx, nack: true, pli: true }]
}

fn label(number: usize) -> Label {
    Label::new(number.to_string().as_bytes()).unwrap()
}

const TERMS: Terms = Terms { nack: true, twcc: true, levels: true };

/// A fleet, a camera and a microphone at a server, and so many subscribers.
struct Setting {
    fleet: Fleet,
    server: Server,
    audience: Arc<AtomicU64>,
    subscribers: Vec<ClientId>,
}

impl Setting {
    async fn of(suite: Suite, subscribers: usize, shape: ShapeKind) -> Self {
        let ip = std::net::Ipv4Addr::LOCALHOST.into();
        let fleet = Fleet::start(FleetConfig { ip, suite, threads: 2, seed: 3 }).unwrap();
        let audience = Arc::new(AtomicU64::new(subscribers as u64));
        let server = Server::start();
        let mut setting = Self { fleet, server, audience, subscribers: Vec::new() };
        setting.publisher(shape);
        setting.until(|news| news.step == Step::Connected).await;
        for _ in 0..subscribers {
            setting.subscriber();
        }
        setting
    }

    fn publisher(&mut self, shape: ShapeKind) {
        let opened = self.fleet.open().unwrap();
        let audio = Source { kind: Kind::Audio, ssrc: 11 };
        let video = Source { kind: Kind::Video, ssrc: 22 };
        let wish = Publish {
            local: opened.local.clone(),
            name: "p0".into(),
            sources: vec![audio, video],
            terms: TERMS,
        };
        let entered = self.server.publish(&wish);
        let phase = Duration::ZERO;
        let feeds = [
            (audio, Feed::Microphone(Microphone::new(shape, 1))),
            (video, Feed::Camera(Camera::new(shape))),
        ];
        let sends = feeds.map(|(source, feed)| Sends { source, feed: Some(feed), phase });
        let role = Role::Publisher(sends.to_vec(), self.audience.clone());
        self.fleet.begin(opened, &entered, role).unwrap();
    }

    fn subscriber(&mut self) {
        let opened = self.fleet.open().unwrap();
        let (local, name) = (opened.local.clone(), "s0".into());
        let wish = Subscribe { local, name, audio: 1, video: 1, terms: TERMS };
        let entered = self.server.subscribe(&wish);
        self.subscribers.push(opened.id);
        let manners = Manners { nack: true, opens: Opens::All, measured: true };
        self.fleet.begin(opened, &entered, Role::Subscriber(manners)).unwrap();
    }

    /// The next news of which `wanted` holds.
    async fn until(&mut self, wanted: impl Fn(&News) -> bool) -> News {
        let search = async {
            loop {
                let news = self.fleet.news().await.unwrap();
                if wanted(&news) {
                    return news;
                }
                assert!(!matches!(news.step, Step::Failed(_)), "{news:?}");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), search).await.expect("news within 20 s")
    }

    /// All subscribers have seen a keyframe.
    async fn all_see(&mut self) {
        for _ in 0..self.subscribers.len() {
            self.until(|news| news.step == Step::FirstKeyframe).await;
        }
    }

    /// Counts, as soon as so many packets have been delivered.
    async fn delivered(&self, packets: u64) -> Counts {
        self.when(|totals| totals.delivered >= packets).await
    }

    /// Counts, as soon as `wanted` holds of them.
    async fn when(&self, wanted: impl Fn(&Totals) -> bool) -> Counts {
        for _ in 0..2_000 {
            let (counts, _) = self.fleet.counts().await.unwrap();
            if wanted(&counts.totals) {
                return counts;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", self.fleet.counts().await.unwrap().0.totals);
    }
}

#[tokio::test]
async fn subscribers_see_a_publisher_with_every_suite() {
    for suite in [Suite::Cm, Suite::Gcm128, Suite::Gcm256] {
        let mut setting = Setting::of(suite, 2, ShapeKind::Even).await;
        setting.all_see().await;
        let counts = setting.delivered(200).await;
        assert_eq!(counts.totals.forged, 0, "{suite:?}");
        let events = setting.server.events.lock().unwrap();
        let profiles: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Connected { profile, .. } => Some(*profile),
                _ => None,
            })
            .collect();
        assert_eq!(profiles, [suite.profile(); 3]);
    }
}

#[tokio::test]
async fn every_packet_is_counted_once_and_its_latency_measured() {
    let mut setting = Setting::of(Suite::Gcm256, 3, ShapeKind::Even).await;
    setting.all_see().await;
    let (before, _) = setting.fleet.counts().await.unwrap();
    let after = setting.delivered(before.totals.delivered + 1_000).await;
    let totals = after.totals.since(&before.totals);
    assert_eq!((totals.duplicates, totals.forged), (0, 0), "{totals:?}");
    let missing = totals.expected.abs_diff(totals.delivered);
    assert!(missing < 60, "no more than what is on the way: {totals:?}");
    assert_eq!(totals.opened, totals.delivered, "all are checked");
    assert!(!after.latency_us.is_empty());
    assert!(after.latency_us.max() < 5_000_000, "{}", after.latency_us.max());
}

#[tokio::test]
async fn publishers_answer_a_storm_of_requests_with_few_keyframes() {
    let mut setting = Setting::of(Suite::Gcm256, 2, ShapeKind::Even).await;
    setting.all_see().await;
    let (before, _) = setting.fleet.counts().await.unwrap();
    let start = clock::now();
    setting.fleet.storm(Some(Duration::from_millis(20)));
    let after = setting.delivered(before.totals.delivered + 500).await;
    let seconds = clock::now().saturating_duration_since(start).as_secs_f64();
    let totals = after.totals.since(&before.totals);
    assert!(totals.keyframes_sent >= 1, "{totals:?}");
    assert!(totals.keyframes_sent as f64 <= seconds * 5.0 + 1.0, "at most one each 200 ms");
}

#[tokio::test]
async fn a_browsers_publisher_is_understood() {
    let mut setting = Setting::of(Suite::Gcm256, 1, ShapeKind::Browser).await;
    setting.all_see().await;
    assert_eq!(setting.delivered(200).await.totals.forged, 0);
}

#[tokio::test]
async fn a_server_with_another_certificate_is_refused_in_words() {
    for suite in [Suite::Gcm128, Suite::Gcm256] {
        let mut setting = Setting::of(suite, 0, ShapeKind::Even).await;
        let opened = setting.fleet.open().unwrap();
        let (local, name) = (opened.local.clone(), "s0".into());
        let wish = Subscribe { local, name, audio: 0, video: 1, terms: TERMS };
        let mut entered = setting.server.subscribe(&wish);
        entered.remote.fingerprint = conf_media::command::Fingerprint([9; 32]);
        let manners = Manners { nack: true, opens: Opens::All, measured: true };
        setting.fleet.begin(opened, &entered, Role::Subscriber(manners)).unwrap();
        let news = setting.until(|news| matches!(news.step, Step::Failed(_))).await;
        let Step::Failed(reason) = news.step else { panic!("it failed") };
        assert!(reason.contains("another certificate"), "{reason}");
    }
}

#[tokio::test]
async fn one_that_is_removed_receives_nothing_more() {
    let mut setting = Setting::of(Suite::Gcm256, 1, ShapeKind::Even).await;
    setting.all_see().await;
    setting.fleet.remove(setting.subscribers[0]);
    let (before, _) = setting.fleet.counts().await.unwrap();
    let after = setting.when(|totals| totals.sent >= before.totals.sent + 50).await;
    assert_eq!(after.totals.delivered, before.totals.delivered);
}

#[test]
fn more_clients_than_files_are_refused_with_the_limit() {
    let error = Fleet::make_room(usize::MAX / 2).unwrap_err().to_string();
    assert!(error.contains("open files, the limit is"), "{error}");
}

#[test]
fn a_loopback_client_takes_the_servers_loopback_address() {
    let all = ["10.0.0.1:5", "[::1]:5", "127.0.0.1:5"].map(|text| text.parse().unwrap());
    assert_eq!(pick(&all, "127.0.0.1".parse().unwrap()), Some(all[2]));
    assert_eq!(pick(&all, "192.168.0.1".parse().unwrap()), Some(all[0]));
    assert_eq!(pick(&all[..1], "::1".parse().unwrap()), None);
}
