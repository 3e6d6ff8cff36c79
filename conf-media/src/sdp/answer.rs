//! Writes the answer to an offer.
//!
//! We are ICE-lite, passive over TCP and the DTLS server; one transport carries everything. Codecs, parameters and
//! header extensions are those of the offer that we know, in *every* section, also in those that
//! are still unused: libwebrtc offers a later section only with the extensions that were
//! negotiated before, so an unanswered `rtp-stream-id` would forbid simulcast for good.

use std::fmt::Write as _;

use super::codec::accepted_feedback;
use super::model::{Format, Offer, Section, SectionKind};
use crate::command::Fingerprint;
use crate::ice::{Candidate, Credentials, Transport};

/// Our side of the transport.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// ICE user name fragment and password.
    pub credentials: &'a Credentials,
    /// Of our certificate.
    pub fingerprint: Fingerprint,
    /// Where the media port can be reached.
    pub candidates: &'a [Candidate],
    /// Number of the session in the `o=` line.
    pub session: u64,
    /// Grows with each answer of the session.
    pub version: u64,
}

/// What becomes of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Refused: port 0.
    Rejected,
    /// The SCTP association.
    Data,
    /// Kept for later.
    Inactive,
    /// The client publishes here.
    Receive {
        /// Encoding name that goes first, e.g. `VP9`: a browser sends the first codec of the answer.
        prefer: Option<String>,
    },
    /// A track is forwarded here.
    Send(Sending),
}

/// A track that is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// First word of `a=msid`.
    pub stream: String,
    /// Second word.
    pub track: String,
    /// We send with it.
    pub ssrc: u32,
    /// And retransmit with this one.
    pub rtx_ssrc: Option<u32>,
    /// Canonical name of the source.
    pub cname: String,
}

/// The answer to `offer`, with `uses` in the order of its sections.
///
/// # Source
/// RFC 8829, section 5.3; RFC 8843, section 7.3; RFC 8839, section 4 (ICE-lite); RFC 6544, section 4.5 (TCP).
#[must_use]
pub fn write(offer: &Offer, local: &Local<'_>, uses: &[Use]) -> String {
    let mut text = String::with_capacity(1024 + 1536 * offer.sections.len());
    session(&mut text, offer, local, uses);
    let mut first = true;
    for (section, wanted) in offer.sections.iter().zip(uses) {
        if *wanted == Use::Rejected {
            rejected(&mut text, section);
            continue;
        }
        match section.kind {
            SectionKind::Application => application(&mut text, section),
            _ => media(&mut text, section, wanted),
        }
        transport(&mut text, local, std::mem::take(&mut first));
    }
    text
}

macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{
        write!($text, $($arg)*).expect("writing to a string never fails");
        $text.push_str("\r\n");
    }};
}

fn session(text: &mut String, offer: &Offer, local: &Local<'_>, uses: &[Use]) {
    line!(text, "v=0");
    line!(text, "o=- {} {} IN IP4 127.0.0.1", local.session >> 1, local.version);
    line!(text, "s=-");
    line!(text, "t=0 0");
    line!(text, "a=ice-lite");
    let mut bundle = String::new();
    for (section, _) in offer.sections.iter().zip(uses).filter(|(_, used)| **used != Use::Rejected)
    {
        bundle.push(' ');
        bundle.push_str(section.mid.as_str());
    }
    if !bundle.is_empty() {
        line!(text, "a=group:BUNDLE{bundle}");
    }
    if offer.extmap_allow_mixed {
        line!(text, "a=extmap-allow-mixed");
    }
    line!(text, "a=msid-semantic: WMS *");
}

fn transport(text: &mut String, local: &Local<'_>, with_candidates: bool) {
    line!(text, "a=ice-ufrag:{}", local.credentials.ufrag);
    line!(text, "a=ice-pwd:{}", local.credentials.password);
    line!(text, "a=fingerprint:sha-256 {}", local.fingerprint);
    line!(text, "a=setup:passive");
    if !with_candidates {
        return;
    }
    for (index, candidate) in local.candidates.iter().take(MAX_CANDIDATES).enumerate() {
        let (ip, port) = (candidate.address.ip(), candidate.address.port());
        let (transport, kind) = match candidate.transport {
            Transport::Udp => ("udp", ""),
            Transport::Tcp => ("tcp", " tcptype passive"),
        };
        let (number, priority) = (index + 1, candidate.priority(index));
        line!(text, "a=candidate:{number} 1 {transport} {priority} {ip} {port} typ host{kind}");
    }
    line!(text, "a=end-of-candidates");
}

fn rejected(text: &mut String, section: &Section) {
    let (kind, protocol) = (section.kind.as_str(), &section.protocol);
    line!(text, "m={kind} 0 {protocol} {}", section.first_format);
    line!(text, "c=IN IP4 0.0.0.0");
    line!(text, "a=mid:{}", section.mid.as_str());
    line!(text, "a=inactive");
}

fn application(text: &mut String, section: &Section) {
    line!(text, "m=application 9 {} webrtc-datachannel", section.protocol);
    line!(text, "c=IN IP4 0.0.0.0");
    line!(text, "a=mid:{}", section.mid.as_str());
    line!(text, "a=sctp-port:5000");
    line!(text, "a=max-message-size:{MAX_DATA_MESSAGE}");
}

fn media(text: &mut String, section: &Section, wanted: &Use) {
    let mut formats = accepted(section);
    if let Use::Receive { prefer: Some(name) } = wanted {
        put_first(&mut formats, name);
    }
    let mut numbers = String::new();
    for format in &formats {
        write!(numbers, " {}", format.payload_type).expect("writing to a string never fails");
    }
    line!(text, "m={} 9 {}{numbers}", section.kind.as_str(), section.protocol);
    line!(text, "c=IN IP4 0.0.0.0");
    line!(text, "a=rtcp:9 IN IP4 0.0.0.0");
    line!(text, "a=mid:{}", section.mid.as_str());
    for extmap in section.accepted_extmaps() {
        line!(text, "a=extmap:{} {}", extmap.id, extmap.uri);
    }
    let direction = match wanted {
        Use::Receive { .. } => "recvonly",
        Use::Send(_) => "sendonly",
        _ => "inactive",
    };
    line!(text, "a={direction}");
    line!(text, "a=rtcp-mux");
    if section.rtcp_rsize {
        line!(text, "a=rtcp-rsize");
    }
    for format in &formats {
        codec(text, section.kind, format);
    }
    match wanted {
        Use::Receive { .. } => simulcast(text, section),
        Use::Send(sending) => sources(text, sending),
        _ => {}
    }
}

/// Our codecs and their repair formats, in the order of the offer.
fn accepted(section: &Section) -> Vec<&Format> {
    let payloads = section.payloads();
    let taken = |format: &&Format| {
        payloads.iter().any(|payload| {
            payload.payload_type == format.payload_type || payload.rtx == Some(format.payload_type)
        })
    };
    section.formats.iter().filter(taken).collect()
}

/// Moves the codec of that name, each payload type with its repair, before the others.
fn put_first(formats: &mut [&Format], name: &str) {
    let of_it: Vec<u8> = formats
        .iter()
        .filter(|format| format.name.eq_ignore_ascii_case(name))
        .map(|format| format.payload_type)
        .collect();
    let repairs = |format: &Format| format.parameter("apt").and_then(|apt| apt.parse().ok());
    formats.sort_by_key(|format| {
        let number = repairs(format).unwrap_or(format.payload_type);
        !of_it.contains(&number)
    });
}

fn codec(text: &mut String, kind: SectionKind, format: &Format) {
    let number = format.payload_type;
    match format.channels {
        Some(channels) => {
            line!(text, "a=rtpmap:{number} {}/{}/{channels}", format.name, format.clock_rate);
        }
        None => line!(text, "a=rtpmap:{number} {}/{}", format.name, format.clock_rate),
    }
    for feedback in accepted_feedback(kind, format) {
        line!(text, "a=rtcp-fb:{number} {feedback}");
    }
    if !format.fmtp.is_empty() {
        line!(text, "a=fmtp:{number} {}", format.fmtp);
    }
}

fn simulcast(text: &mut String, section: &Section) {
    if section.simulcast.is_empty() {
        return;
    }
    let mut list = String::new();
    for rid in &section.simulcast {
        line!(text, "a=rid:{} recv", rid.as_str());
        if !list.is_empty() {
            list.push(';');
        }
        list.push_str(rid.as_str());
    }
    line!(text, "a=simulcast:recv {list}");
}

fn sources(text: &mut String, sending: &Sending) {
    let Sending { stream, track, ssrc, rtx_ssrc, cname } = sending;
    line!(text, "a=msid:{stream} {track}");
    if let Some(rtx) = rtx_ssrc {
        line!(text, "a=ssrc-group:FID {ssrc} {rtx}");
    }
    for ssrc in std::iter::once(ssrc).chain(rtx_ssrc) {
        line!(text, "a=ssrc:{ssrc} cname:{cname}");
        line!(text, "a=ssrc:{ssrc} msid:{stream} {track}");
    }
}

/// A host has few addresses, each over UDP and TCP; a client's checks cost each.
const MAX_CANDIDATES: usize = 32;
/// Clients take the smaller of this and 64,000.
const MAX_DATA_MESSAGE: u32 = 64_000;
