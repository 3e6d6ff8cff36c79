//! Targets of the media port: what anybody can send to a UDP socket.

use std::sync::{Arc, LazyLock};

use conf_media::codec::Codec;
use conf_media::codec::numbers::Rewriter;
use conf_media::dtls::dimpl::Server;
use conf_media::dtls::gate::{self, Gate};
use conf_media::dtls::{Certificate, Dtls, hello};
use conf_media::rtcp::{Packet, write};
use conf_media::rtp::{self, Header};
use conf_media::srtp::{Keys, Opener, Profile, Sealer};
use conf_media::tcp::MAX_DATAGRAM;
use conf_media::tcp::framing::{self, Deframer, HEADER};
use conf_media::{rtcp as rtcp_, stun as stun_};

use crate::{Shape, start};

const PROFILES: [Profile; 3] =
    [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::AesCm128HmacSha1_80];

pub(crate) fn rtp(input: &[u8]) -> Shape {
    let parsed = rtp::parse(input);
    let mut shape = Shape::of(rtp::classify(input)).and(parsed.map(|view| view.form()));
    if let Ok(view) = parsed {
        for (id, value) in view.extensions(input) {
            assert!(view.extension(input, id).is_some() && value.len() <= input.len());
        }
        assert!(view.payload(input).len() <= input.len());
        let mut packet = input.to_vec();
        let restored = rtp::restore(&mut packet, &view, 96, 1);
        assert!(restored.is_ok_and(|len| len <= packet.len()) || restored.is_err());
        shape = shape.and(restored).and(view.extensions(input).count()).and(view.padding > 0);
    }
    shape
}

pub(crate) fn rtp_seeds() -> Vec<Vec<u8>> {
    let one: &[(u8, &[u8])] = &[(1, b"0"), (4, &[0x80]), (5, &[0, 1])];
    let two: &[(u8, &[u8])] = &[(17, &[0; 20]), (3, b"")];
    [&[][..], one, two]
        .iter()
        .map(|extensions| packet(&header(), extensions, &[0x90, 0x80, 0x81, 0x02, 0, 1, 2, 3]))
        .collect()
}

/// A stream of frames, torn where the first bytes say; it is also what a browser would send whole.
pub(crate) fn tcp(input: &[u8]) -> Shape {
    let (cuts, stream) = input.split_at(input.len().min(8));
    let whole = frames(stream, &[]);
    let torn = frames(stream, cuts);
    assert_eq!(whole, torn, "where a stream is torn changes nothing");
    Shape::of(whole.1).and(whole.0.len().min(4)).and(whole.2.min(3))
}

/// Datagrams, whether there was an error, and how many bytes wait.
fn frames(mut stream: &[u8], cuts: &[u8]) -> (Vec<Vec<u8>>, bool, usize) {
    let (mut deframer, mut datagrams) = (Deframer::default(), Vec::new());
    let mut cuts = cuts.iter().cycle();
    while !stream.is_empty() {
        let at = cuts.next().map_or(stream.len(), |&cut| usize::from(cut) + 1);
        let (part, rest) = stream.split_at(at.min(stream.len()));
        if deframer.feed(part, |it| datagrams.push(it.to_vec())).is_err() {
            return (datagrams, true, 0);
        }
        assert!(deframer.kept() < HEADER + MAX_DATAGRAM);
        stream = rest;
    }
    (datagrams, false, deframer.kept())
}

pub(crate) fn tcp_seeds() -> Vec<Vec<u8>> {
    let cuts = |bytes: [u8; 8]| bytes.to_vec();
    let framed = |datagrams: &[&[u8]]| -> Vec<u8> {
        datagrams.iter().filter_map(|it| framing::frame(it)).flatten().collect()
    };
    vec![
        [cuts([0; 8]), framed(&[b"one", b"", b"three"])].concat(),
        [cuts([1, 2, 3, 0, 0, 0, 9, 0]), framed(&[&[7; 300], &[8; 20]])].concat(),
        [cuts([255; 8]), framed(&[&[9; 2_048]])].concat(),
        [cuts([0; 8]), b"GET / HTTP/1.1\r\n\r\n".to_vec()].concat(),
        [cuts([0; 8]), vec![0, 9, 1]].concat(),
    ]
}

pub(crate) fn codec(input: &[u8]) -> Shape {
    let mut shape = Shape::NOTHING;
    let codecs = [
        Codec::Opus,
        Codec::Vp8,
        Codec::Vp9 { profile: 0 },
        Codec::H264 { profile: 0x42e0, mode: 1 },
        Codec::Av1 { profile: 0 },
    ];
    for codec in codecs {
        let picture = codec.describe(input);
        shape = shape.and(picture);
        if let Some(descriptor) = picture.numbers {
            let mut payload = input.to_vec();
            assert!(Rewriter::new().rewrite(&descriptor, &mut payload));
            assert_eq!(codec.describe(&payload), picture);
        }
    }
    shape
}

pub(crate) fn codec_seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0x90, 0xe0, 0x81, 0x02, 0x03, 0x04, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a],
        vec![0x8b, 0x81, 0x02, 0x00, 0x01, 0x02, 0x18, 0x01, 0x40, 0x00, 0xb4],
        vec![0x18, 0x00, 0x04, 0x67, 0x42, 0xe0, 0x1f, 0x00, 0x02, 0x65, 0x88],
        vec![0x7c, 0x85, 0x88, 0x80],
        vec![0x18, 0x02, 0x0a, 0x0b, 0x00, 0x00],
    ]
}

pub(crate) fn rtcp(input: &[u8]) -> Shape {
    let mut shape = Shape::NOTHING;
    for packet in rtcp_::walk(input) {
        shape = match packet {
            Ok(packet) => shape.and(std::mem::discriminant(&packet)).and(drain(packet).min(1)),
            Err(error) => shape.and(error),
        };
    }
    shape
}

/// Runs the iterators of a packet to their ends, which are bounded by the packet's size.
fn drain(packet: Packet<'_>) -> usize {
    let items = match packet {
        Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
            blocks.count()
        }
        Packet::SourceDescription(chunks) => chunks.count(),
        Packet::Bye(sources) => sources.count(),
        Packet::Nack { lost, .. } => lost.count(),
        Packet::Fir { entries, .. } => entries.count(),
        Packet::TransportFeedback(feedback) => feedback.statuses().count(),
        _ => 0,
    };
    assert!(items <= 1 << 18, "{items} items in one packet");
    items
}

pub(crate) fn rtcp_seeds() -> Vec<Vec<u8>> {
    let info = write::SenderInfo { ssrc: 1, ntp: 2, rtp: 3, packets: 4, octets: 5 };
    let transport = write::TransportInfo::default();
    let mut report = Vec::new();
    write::sender_report(&mut report, &info, &[]);
    write::sdes_cname(&mut report, 1, b"cname");
    write::bye(&mut report, &[1]);
    let mut asking = Vec::new();
    write::receiver_report(&mut asking, 1, &[]);
    write::nack(&mut asking, 1, 2, &[1, 2, 40, 65_535]);
    write::pli(&mut asking, 1, 2);
    let mut arrivals = Vec::new();
    write::transport_feedback(&mut arrivals, &transport, &[Some(1), None, Some(-5), Some(300)]);
    vec![report, asking, arrivals]
}

pub(crate) fn srtp(input: &[u8]) -> Shape {
    let mut shape = Shape::NOTHING;
    for profile in PROFILES {
        let Ok(mut opener) = Opener::new(profile, &keys(profile).remote) else { continue };
        let mut packet = input.to_vec();
        let rtp = opener.open_rtp(&mut packet);
        let mut packet = input.to_vec();
        let rtcp = opener.open_rtcp(&mut packet);
        assert!([rtp, rtcp].into_iter().flatten().all(|len| len <= input.len()));
        shape = shape.and((rtp, rtcp));
    }
    shape
}

pub(crate) fn srtp_seeds() -> Vec<Vec<u8>> {
    let sealed = |profile: Profile, is_rtcp: bool| {
        let mut sealer = Sealer::new(profile, &keys(profile).remote).ok()?;
        let mut buffer = packet(&header(), &[(1, b"0")], b"picture");
        if is_rtcp {
            buffer.clear();
            write::receiver_report(&mut buffer, 1, &[]);
        }
        let len = buffer.len();
        buffer.resize(len + 64, 0);
        let len = if is_rtcp {
            sealer.seal_rtcp(&mut buffer, len).ok()?
        } else {
            sealer.seal_rtp(&mut buffer, len).ok()?
        };
        buffer.truncate(len);
        Some(buffer)
    };
    PROFILES
        .iter()
        .flat_map(|profile| [sealed(*profile, false), sealed(*profile, true)])
        .flatten()
        .collect()
}

fn keys(profile: Profile) -> Keys {
    let material = vec![7; profile.exporter_len()];
    Keys::from_exporter(profile, &material, true).expect("as much material as the profile wants")
}

pub(crate) fn stun(input: &[u8]) -> Shape {
    match stun_::parse(input) {
        Ok(message) => Shape::of(message.local_ufrag().is_some())
            .and(message.role())
            .and(message.mapped_address().is_some())
            .and(message.verify(&stun_::IntegrityKey::new("password"))),
        Err(error) => Shape::of(error),
    }
}

pub(crate) fn stun_seeds() -> Vec<Vec<u8>> {
    let key = stun_::IntegrityKey::new("password");
    let id = stun_::TransactionId([7; 12]);
    let (mut request, mut answer, mut error) = (Vec::new(), Vec::new(), Vec::new());
    stun_::Writer::new(&mut request, stun_::Class::Request, id)
        .username("here:there")
        .priority(1)
        .use_candidate()
        .integrity(&key)
        .fingerprint();
    stun_::Writer::new(&mut answer, stun_::Class::Success, id)
        .xor_mapped_address(([127, 0, 0, 1], 5000).into())
        .integrity(&key)
        .fingerprint();
    stun_::Writer::new(&mut error, stun_::Class::Error, id)
        .error_code(420)
        .unknown_attributes(&[0x7f])
        .finish();
    vec![request, answer, error]
}

pub(crate) fn dtls(input: &[u8]) -> Shape {
    let mut shape = Shape::of(hello::Reader::default().push(input).map(|hello| hello.is_some()));
    let mut server = Server::new(certificate());
    // Two datagrams, as the ClientHello of current browsers comes.
    let (first, second) = input.split_at(input.len() / 2);
    for datagram in [first, second, input] {
        let handled = server.handle(start(), datagram);
        shape = shape.and(&handled);
        if handled.is_err() {
            break;
        }
        while server.poll().is_some() {}
    }
    shape
}

/// What passes the gate is what the backend behind it reads without a panic: its own parser is
/// asked, record by record.
pub(crate) fn gate(input: &[u8]) -> Shape {
    let mut fresh = Gate::new();
    let mut shape = read_behind(&mut fresh, input);
    let mut begun = Gate::new();
    for hello in &*HELLOS {
        read_behind(&mut begun, hello);
    }
    let (first, second) = input.split_at(input.len() / 2);
    for datagram in [first, second, input] {
        let passed = read_behind(&mut begun, datagram);
        shape = shape.and(passed);
    }
    begun.done();
    if let Ok(passed) = begun.push(input) {
        assert!(passed.datagrams.iter().all(|it| it.get(3..5) == Some(&[0, 1])), "only encrypted");
    }
    shape
}

fn read_behind(gate: &mut Gate, datagram: &[u8]) -> Shape {
    let passed = match gate.push(datagram) {
        Ok(passed) => passed,
        Err(refused) => return Shape::of(refused),
    };
    let count = passed.datagrams.len().min(1);
    for datagram in passed.datagrams {
        assert!(datagram.len() <= gate::MAX_DATAGRAM);
        let mut rest = &datagram[..];
        while let Some((&[content, _, _, _, epoch, _, _, _, _, _, _, high, low], body)) =
            rest.split_first_chunk::<13>()
        {
            let (body, behind) = body.split_at(u16::from_be_bytes([high, low]).into());
            let mut record = rest.get(..13 + body.len()).unwrap_or_default();
            if epoch == 0 {
                let read = webrtc_dtls::record_layer::RecordLayer::unmarshal(&mut record);
                assert!(
                    content != 22 || read.is_ok(),
                    "a checked message is one the backend reads"
                );
            }
            rest = behind;
        }
    }
    Shape::of(vec![(); count])
}

/// One certificate for all inputs: making one costs more than a handshake.
fn certificate() -> Certificate {
    static ONE: std::sync::OnceLock<Certificate> = std::sync::OnceLock::new();
    ONE.get_or_init(|| Certificate::generate().expect("a key pair can be made")).clone()
}

/// Made once: a key pair takes longer than a hundred inputs.
static HELLOS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(dtls_seeds);

/// The first flight of a client: datagrams with a ClientHello.
pub(crate) fn dtls_seeds() -> Vec<Vec<u8>> {
    let own = dimpl::certificate::generate_self_signed_certificate().expect("a key pair");
    let mut client = dimpl::Dtls::new_12(Arc::new(dimpl::Config::default()), own, start());
    client.set_active(true);
    client.handle_timeout(start()).expect("a first flight");
    let (mut buffer, mut seeds) = (vec![0; 4_096], Vec::new());
    loop {
        match client.poll_output(&mut buffer) {
            dimpl::Output::Packet(bytes) => seeds.push(bytes.to_vec()),
            dimpl::Output::Timeout(_) => return seeds,
            _ => {}
        }
    }
}

/// A packet with its header, as its sender writes it.
pub(crate) fn packet(header: &Header, extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 256];
    let len = header.write(extensions, &mut out).expect("256 bytes are enough");
    out.truncate(len);
    out.extend_from_slice(payload);
    out
}

fn header() -> Header {
    Header { marker: true, payload_type: 96, sequence: 65_535, timestamp: 90_000, ssrc: 42 }
}
