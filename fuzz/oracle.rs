//! The same bytes to two implementations: what the other one accepts we read the same, or refuse
//! for a reason that is named here.
//!
//! The others panic on some inputs (ours must not). Those are caught and not looked at further.

use conf_media::rtcp::{self as our_rtcp, Packet as OurPacket, RtcpError};
use conf_media::rtp::{self as our_rtp, Form, RtpError};
use conf_media::srtp::{MasterKey, Opener, Profile, Sealer, SrtpError};
use rtcp::goodbye::Goodbye;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::receiver_report::ReceiverReport;
use rtcp::sender_report::SenderReport;
use rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtp::header::Header;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;
use webrtc_util::marshal::{MarshalSize as _, Unmarshal as _};

use crate::Shape;
use crate::quiet::asked;

/// Whether an input may lie in a corpus for all to see: none that another implementation panics
/// on, which its users may still run.
#[must_use]
pub fn is_publishable(input: &[u8]) -> bool {
    asked(|| drop(rtp::packet::Packet::unmarshal(&mut &*input))).is_some()
        && asked(|| drop(rtcp::packet::unmarshal(&mut &*input))).is_some()
        && asked(|| drop(webrtc_dtls::record_layer::RecordLayer::unmarshal(&mut &*input))).is_some()
}

pub(crate) fn rtp(input: &[u8]) -> Shape {
    let ours = our_rtp::parse(input);
    let Some(theirs) = asked(|| rtp::packet::Packet::unmarshal(&mut &*input)) else {
        return Shape::of("panic").and(ours.is_ok());
    };
    let (view, packet) = match (ours, theirs) {
        (Ok(view), Ok(packet)) => (view, packet),
        (Err(error), Ok(packet)) => {
            let listed = match error {
                RtpError::Version { version } => version != 2 && packet.header.version == version,
                // A count of zero counts itself out (RFC 3550, section 5.1).
                RtpError::Padding { padding, .. } => padding == 0 || loses_its_place(input),
                RtpError::TooLong { length } => length > usize::from(u16::MAX),
                _ => false,
            };
            assert!(listed, "only the other implementation reads this: {error:?}");
            return Shape::of(error);
        }
        // What they refuse and we read: an element longer than its block ends our list.
        (ours, Err(_)) => return Shape::of("refused").and(ours.is_ok()),
    };
    let header = &packet.header;
    assert_eq!(
        (view.marker, view.payload_type, view.sequence, view.timestamp, view.ssrc),
        (header.marker, header.payload_type, header.sequence_number, header.timestamp, header.ssrc)
    );
    Shape::of(elements(input, &view, header)).and(payload(input, &view, &packet))
}

/// Compares the header extensions; says how much of them is the same by right.
fn elements(input: &[u8], view: &our_rtp::View, header: &Header) -> &'static str {
    let ours: Vec<_> = view.extensions(input).collect();
    let theirs: Vec<_> = header.extensions.iter().map(|it| (it.id, &it.payload[..])).collect();
    let begin = theirs.get(..ours.len());
    match view.form() {
        // They give the whole block of a profile they do not know as one element, as they do with
        // 0x1001 to 0x100f, whose low bits are for the application (RFC 8285, section 4.3).
        Form::None => "no element",
        Form::TwoByte if header.extension_profile != 0x1000 => "application bits",
        // Id 0 with a length ends our list (RFC 8285, section 4.2); they go on. An element that
        // ends behind its block ends ours, and reaches into their payload.
        _ if ours == theirs => "equal",
        _ => {
            assert_eq!(begin, Some(&ours[..]), "as far as ours go they are the same");
            "a beginning"
        }
    }
}

fn payload(input: &[u8], view: &our_rtp::View, packet: &rtp::packet::Packet) -> &'static str {
    let same = view.payload(input) == packet.payload;
    assert!(same || loses_its_place(input), "same header, other payload");
    if same { "equal" } else { "their place is lost" }
}

/// Behind a reserved id, and behind an element that is longer than its block, their reader goes on
/// elsewhere than where the block says that it ends.
fn loses_its_place(packet: &[u8]) -> bool {
    let mut rest = packet;
    let theirs = asked(|| Header::unmarshal(&mut rest).is_ok());
    let ours = our_rtp::parse_header(packet).map(|view| usize::from(view.header_len));
    theirs == Some(true) && ours != Ok(packet.len() - rest.len())
}

pub(crate) fn rtcp(input: &[u8]) -> Shape {
    let ours: Vec<_> = our_rtcp::walk(input).collect();
    let Some(theirs) = asked(|| rtcp::packet::unmarshal(&mut &*input)) else {
        return Shape::of("panic").and(ours.iter().all(Result::is_ok));
    };
    let Ok(theirs) = theirs else {
        return Shape::of("refused").and(ours.iter().all(Result::is_ok));
    };
    let mut shape = Shape::NOTHING;
    for (at, ours) in ours.iter().enumerate() {
        let packet = match ours {
            Ok(packet) => packet,
            Err(error) => {
                // They neither check nor cut off padding.
                let listed = matches!(error, RtcpError::Padding { .. } | RtcpError::Body { .. });
                assert!(listed, "only the other implementation reads this: {error:?}");
                return shape.and(error);
            }
        };
        let Some(theirs) = theirs.get(at) else { panic!("we read more packets than they do") };
        shape = shape.and(same(packet, theirs.as_any(), input));
    }
    shape
}

/// Compares one packet, as far as the other implementation reads its kind.
fn same(
    ours: &OurPacket<'_>,
    theirs: &(dyn std::any::Any + Send + Sync),
    whole: &[u8],
) -> &'static str {
    // Padding is part of their bodies.
    let padded = whole.iter().step_by(4).any(|first| first & 0x20 != 0);
    match *ours {
        OurPacket::SenderReport { ssrc, ntp, rtp, packets, octets, blocks } => {
            let Some(their) = theirs.downcast_ref::<SenderReport>() else { return "other kind" };
            let numbers = (their.ssrc, their.ntp_time, their.rtp_time);
            assert_eq!((ssrc, ntp, rtp), numbers);
            assert_eq!((packets, octets), (their.packet_count, their.octet_count));
            assert!(blocks.map(|it| it.ssrc).eq(their.reports.iter().map(|it| it.ssrc)));
            "sender report"
        }
        OurPacket::ReceiverReport { ssrc, blocks } => {
            let Some(their) = theirs.downcast_ref::<ReceiverReport>() else { return "other kind" };
            assert_eq!(ssrc, their.ssrc);
            let blocks = blocks.map(|it| (it.ssrc, it.fraction_lost, it.highest, it.jitter));
            let their = their.reports.iter();
            assert!(blocks.eq(
                their.map(|it| { (it.ssrc, it.fraction_lost, it.last_sequence_number, it.jitter) })
            ));
            "receiver report"
        }
        OurPacket::Bye(sources) => {
            let Some(their) = theirs.downcast_ref::<Goodbye>() else { return "other kind" };
            assert!(padded || sources.eq(their.sources.iter().copied()));
            "goodbye"
        }
        OurPacket::Nack { sender, media, lost } => {
            let Some(their) = theirs.downcast_ref::<TransportLayerNack>() else {
                return "other kind";
            };
            assert_eq!((sender, media), (their.sender_ssrc, their.media_ssrc));
            let theirs = their.nacks.iter().flat_map(|pair| pair.into_iter());
            assert!(padded || lost.eq(theirs), "the same numbers are lost");
            "request"
        }
        OurPacket::Pli { sender, media } => {
            let Some(their) = theirs.downcast_ref::<PictureLossIndication>() else {
                return "other kind";
            };
            assert_eq!((sender, media), (their.sender_ssrc, their.media_ssrc));
            "picture loss"
        }
        _ => "not compared",
    }
}

const PROFILES: [(Profile, ProtectionProfile); 3] = [
    (Profile::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Profile::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
    (Profile::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
];

/// The input as a plain packet, sealed by each and opened by the other, and as a sealed one.
pub(crate) fn srtp(input: &[u8]) -> Shape {
    let mut shape = Shape::NOTHING;
    for (profile, theirs) in PROFILES {
        let numbers = |len: usize, step: u8| (0u8..).take(len).map(move |n| n.wrapping_mul(step));
        let (key, salt): (Vec<u8>, Vec<u8>) =
            (numbers(profile.key_len(), 37).collect(), numbers(profile.salt_len(), 91).collect());
        let context = || Context::new(&key, &salt, theirs, None, None).expect("usable keys");
        let master = MasterKey { key: key.clone(), salt: salt.clone() };
        let (Ok(mut sealer), Ok(mut opener)) =
            (Sealer::new(profile, &master), Opener::new(profile, &master))
        else {
            return Shape::NOTHING;
        };
        let mut sealed = input.to_vec();
        sealed.resize(input.len() + 64, 0);
        let ours = sealer.seal_rtp(&mut sealed, input.len());
        let mut foreign = context();
        if let Ok(len) = ours {
            sealed.truncate(len);
            if let Some(Ok(plain)) = asked(|| foreign.decrypt_rtp(&sealed))
                && agrees_where_the_payload_begins(input)
            {
                assert_eq!(plain, input, "what they open is what we sealed");
            }
            let opened = opener.open_rtp(&mut sealed).expect("we open what we sealed");
            assert_eq!(sealed.get(..opened), Some(input));
        }
        shape = shape.and(ours.map(|_| ())).and(forged(input, &mut opener, &mut context()));
    }
    shape
}

/// An element that is longer than its block, or a reserved id, leads their header into the payload.
fn agrees_where_the_payload_begins(packet: &[u8]) -> bool {
    let theirs = asked(|| Header::unmarshal(&mut &*packet).map(|header| header.marshal_size()));
    let ours = our_rtp::parse_header(packet).map(|view| usize::from(view.header_len));
    matches!((ours, theirs), (Ok(ours), Some(Ok(theirs))) if ours == theirs)
}

/// Bytes that nobody sealed: opened by neither.
fn forged(input: &[u8], opener: &mut Opener, other: &mut Context) -> Result<(), SrtpError> {
    let mut packet = input.to_vec();
    let ours = opener.open_rtp(&mut packet).map(|_| ());
    let theirs = asked(|| other.decrypt_rtp(input).is_ok());
    assert!(theirs != Some(true) || ours.is_ok(), "only they open this: {ours:?}");
    ours
}
