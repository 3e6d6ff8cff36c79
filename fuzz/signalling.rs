//! Targets of the websockets: what anybody who reaches the HTTP port can send.

use base64::Engine;
use conf_core::wire::ClientMessage;
use conf_media::command::{Fingerprint, PeerId};
use conf_media::ice::{Candidate, Credentials};
use conf_media::sdp::Offer;
use conf_media::sdp::answer::{Local, Use, write};
use conf_media::signal::livekit::packet::{Packet, Stamp};
use conf_media::signal::livekit::token::{Claims, Grants, Issuer, verify};
use conf_media::signal::livekit::{
    ConnectionId, Identity, Input, Join, Signal, SignalConfig, parse_join_request,
};
use conf_media::time::Now;
use livekit_protocol as proto;
use prost::Message as _;

use crate::{Shape, start};

/// Offers of real browsers, as the tests of conf-media keep them.
const OFFERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf-media/tests/sdp");

pub(crate) fn sdp(input: &[u8]) -> Shape {
    let Ok(text) = std::str::from_utf8(input) else { return Shape::NOTHING };
    let offer = match Offer::parse(text) {
        Ok(offer) => offer,
        Err(error) => return Shape::of(error),
    };
    let mut shape = Shape::NOTHING;
    let credentials = Credentials { ufrag: "abcd".into(), password: "p".repeat(24) };
    let candidates = [Candidate::udp(([127, 0, 0, 1], 7882).into())];
    let fingerprint = Fingerprint([7; 32]);
    let local = Local {
        credentials: &credentials,
        fingerprint,
        candidates: &candidates,
        session: 1,
        version: 1,
    };
    for section in &offer.sections {
        let (sends, takes) = (section.publication(), section.subscription(1, 2, "cname"));
        shape = shape.and(sends.is_some()).and(takes.is_some());
    }
    let uses: Vec<Use> = offer.sections.iter().map(|_| Use::Inactive).collect();
    shape.and(write(&offer, &local, &uses).len() > 1)
}

pub(crate) fn sdp_seeds() -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        std::fs::read_dir(OFFERS).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    files.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

pub(crate) fn signal(input: &[u8]) -> Shape {
    let mut signal = Signal::new(SignalConfig {
        turn: None,
        candidates: vec![Candidate::udp(([127, 0, 0, 1], 7882).into())],
        fingerprint: Fingerprint([7; 32]),
        token: issuer(),
        room_name: "room".into(),
        room_number: 1,
        players: 10,
        seed: [7; 32],
    });
    for number in [1, 2] {
        let join = Join {
            connection: ConnectionId(number),
            identity: Identity::new(format!("p-{number}")),
            name: "name".into(),
            sid_number: number,
            grants: Grants::participant("room"),
            metadata: String::new(),
            attributes: Default::default(),
            request: Box::new(proto::JoinRequest::default()),
            peer: PeerId(number),
        };
        drop(signal.handle(now(), Input::Join(join)));
    }
    let message = Input::Message { connection: ConnectionId(1), bytes: input };
    let mut shape = Shape::of(signal.handle(now(), message));
    while let Some(output) = signal.poll() {
        shape = shape.and(std::mem::discriminant(&output));
    }
    shape
}

pub(crate) fn signal_seeds() -> Vec<Vec<u8>> {
    use proto::signal_request::Message;
    let offer = sdp_seeds().pop().and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
    let add = proto::AddTrackRequest {
        cid: "cid".into(),
        source: 1,
        width: 640,
        height: 360,
        ..Default::default()
    };
    let offer = proto::SessionDescription {
        r#type: "offer".into(),
        sdp: offer,
        id: 2,
        ..Default::default()
    };
    [
        Message::Offer(offer),
        Message::AddTrack(add),
        Message::Mute(proto::MuteTrackRequest { sid: "TR_1".into(), muted: true }),
        Message::PingReq(proto::Ping { timestamp: 1, rtt: 1 }),
        Message::SyncState(proto::SyncState::default()),
        Message::Leave(proto::LeaveRequest::default()),
    ]
    .map(|message| proto::SignalRequest { message: Some(message) }.encode_to_vec())
    .to_vec()
}

/// Whatever a client writes on a packet, it leaves with the sender's name, for the same receivers.
pub(crate) fn data_packet(input: &[u8]) -> Shape {
    let packet = match Packet::read(input) {
        Ok(packet) => packet,
        Err(error) => return Shape::of(error),
    };
    let stamp = Stamp { identity: "ada", sid: "PA_1", lossy: input.len().is_multiple_of(2) };
    let stamped = packet.stamped(&stamp);
    assert!(stamped.len() <= input.len() * 8 + 64, "no longer than the names in it");
    let again = Packet::read(&stamped).expect("what was stamped is well-formed");
    assert_eq!((again.content, again.sequence), (packet.content, packet.sequence));
    assert_eq!(again.destinations, packet.destinations);
    if let Ok(read) = proto::DataPacket::decode(&stamped[..]) {
        assert_eq!((&*read.participant_identity, &*read.participant_sid), ("ada", "PA_1"));
        #[expect(deprecated, reason = "clients still read it")]
        if let Some(proto::data_packet::Value::User(user)) = read.value {
            assert_eq!((&*user.participant_identity, &*user.participant_sid), ("ada", "PA_1"));
        }
    }
    Shape::of(packet.content).and(packet.destinations.len().min(3)).and(packet.sequence != 0)
}

pub(crate) fn data_packet_seeds() -> Vec<Vec<u8>> {
    use proto::data_packet::Value;
    let user = proto::UserPacket {
        payload: b"hello".to_vec(),
        topic: Some("topic".into()),
        ..Default::default()
    };
    let header = proto::data_stream::Header {
        stream_id: "s".into(),
        topic: "lk.chat".into(),
        ..Default::default()
    };
    let chunk = proto::data_stream::Chunk {
        stream_id: "s".into(),
        content: b"x".to_vec(),
        ..Default::default()
    };
    let call = proto::RpcRequest { id: "1".into(), method: "greet".into(), ..Default::default() };
    let sealed = proto::EncryptedPacket { iv: vec![1; 12], ..Default::default() };
    [
        Value::User(user),
        Value::StreamHeader(header),
        Value::StreamChunk(chunk),
        Value::RpcRequest(call),
        Value::EncryptedPacket(sealed),
        Value::Transcription(proto::Transcription::default()),
    ]
    .map(|value| proto::DataPacket {
        participant_identity: "eve".into(),
        destination_identities: vec!["bob".into()],
        sequence: 3,
        value: Some(value),
        ..Default::default()
    })
    .map(|packet| packet.encode_to_vec())
    .to_vec()
}

pub(crate) fn join_request(input: &[u8]) -> Shape {
    Shape::of(std::str::from_utf8(input).map(parse_join_request))
}

pub(crate) fn join_request_seeds() -> Vec<Vec<u8>> {
    let request = proto::JoinRequest { reconnect: true, ..Default::default() };
    let wrapped =
        proto::WrappedJoinRequest { join_request: request.encode_to_vec(), ..Default::default() };
    vec![base64::engine::general_purpose::URL_SAFE.encode(wrapped.encode_to_vec()).into_bytes()]
}

pub(crate) fn token(input: &[u8]) -> Shape {
    Shape::of(
        std::str::from_utf8(input)
            .map(|text| verify(text, &|_| Some("secret".into()), now().wall).map(|_| ())),
    )
}

pub(crate) fn token_seeds() -> Vec<Vec<u8>> {
    let claims = Claims {
        identity: Identity::new("p-1"),
        name: "name".into(),
        grants: Grants::participant("room"),
        metadata: String::new(),
        attributes: Default::default(),
    };
    vec![issuer().mint(&claims, now().wall).into_bytes()]
}

pub(crate) fn wire(input: &[u8]) -> Shape {
    match serde_json::from_slice::<ClientMessage>(input) {
        Ok(message) => Shape::of(std::mem::discriminant(&message)),
        Err(error) => Shape::of(error.classify()),
    }
}

pub(crate) fn wire_seeds() -> Vec<Vec<u8>> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf-core/tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(golden)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path())
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("client"))
        })
        .collect();
    files.sort();
    files.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

pub(crate) fn issuer() -> Issuer {
    Issuer::new("key", "secret")
}

pub(crate) fn now() -> Now {
    Now { mono: start(), wall: jiff::Timestamp::UNIX_EPOCH }
}
