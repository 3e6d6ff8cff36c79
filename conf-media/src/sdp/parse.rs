//! Reads an offer, line by line, without trusting any.

use super::attribute::{self, MAX_WORD};
use super::model::{Direction, Extmap, Format, Offer, Section, SectionKind};
use super::{MAX_OFFER_BYTES, MAX_SECTIONS, SdpError};
use crate::command::{Fingerprint, Label};

impl Offer {
    /// Reads a session description of 1 MiB and 256 media sections at most.
    ///
    /// Unknown lines and attributes are skipped, known ones must have their form. Lines may end in
    /// a line feed alone.
    ///
    /// # Errors
    /// An [`SdpError`] with the line or the limit.
    ///
    /// # Source
    /// RFC 8866, sections 5 and 9; RFC 8829, section 5.8.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > MAX_OFFER_BYTES {
            return Err(SdpError::TooLarge { len: text.len() });
        }
        let mut parser = Parser::default();
        for (index, line) in text.lines().enumerate() {
            parser.line = index + 1;
            parser.read(line.trim_end())?;
        }
        parser.finish()
    }
}

#[derive(Default)]
struct Parser {
    line: usize,
    bundle: Vec<Label>,
    session: Transport,
    extmap_allow_mixed: bool,
    session_extmaps: Vec<Extmap>,
    session_direction: Direction,
    sections: Vec<Draft>,
}

/// Transport attributes; they may stand in the session part or in a section.
#[derive(Default)]
struct Transport {
    ufrag: Option<String>,
    password: bool,
    fingerprint: Option<Fingerprint>,
    passive: bool,
}

struct Draft {
    section: Section,
    mid: Option<Label>,
    transport: Transport,
    mux: bool,
    port: u16,
    bundle_only: bool,
}

impl Parser {
    fn read(&mut self, line: &str) -> Result<(), SdpError> {
        if self.line == 1 {
            return if line == "v=0" { Ok(()) } else { Err(SdpError::Version) };
        }
        if line.is_empty() {
            return Ok(());
        }
        // No text of SDP holds these, and what goes back in an answer stays within its line.
        if line.contains(['\0', '\r']) {
            return Err(self.invalid("line"));
        }
        match line.split_at_checked(2) {
            Some(("m=", rest)) => self.media(rest),
            Some(("a=", rest)) => self.attribute(rest),
            Some((kind, _)) if kind.ends_with('=') => Ok(()),
            _ => Err(self.invalid("line")),
        }
    }

    fn media(&mut self, rest: &str) -> Result<(), SdpError> {
        if self.sections.len() >= MAX_SECTIONS {
            return Err(SdpError::TooManySections);
        }
        let mut words = rest.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
        else {
            return Err(self.invalid("m="));
        };
        let port: u16 = port.parse().map_err(|_| self.invalid("m="))?;
        let kind = match kind {
            "audio" => SectionKind::Audio,
            "video" => SectionKind::Video,
            "application" => SectionKind::Application,
            _ => SectionKind::Other,
        };
        let formats: Vec<&str> = words.collect();
        let rtp = matches!(kind, SectionKind::Audio | SectionKind::Video);
        let section = Section {
            kind,
            mid: Label::new(b"0").expect("a digit is a label"), // `finish` puts the real one
            stopped: false,
            direction: self.session_direction,
            protocol: protocol.to_owned(),
            formats: if rtp { self.formats(&formats)? } else { Vec::new() },
            first_format: formats.first().map_or("0", |format| *format).to_owned(),
            extmaps: self.session_extmaps.clone(),
            msid: None,
            rids: Vec::new(),
            simulcast: Vec::new(),
            ssrcs: Vec::new(),
            ssrc_groups: Vec::new(),
            rtcp_rsize: false,
            application: None,
        };
        self.sections.push(Draft {
            section,
            mid: None,
            transport: Transport::default(),
            mux: false,
            port,
            bundle_only: false,
        });
        Ok(())
    }

    fn formats(&self, words: &[&str]) -> Result<Vec<Format>, SdpError> {
        let mut formats: Vec<Format> = Vec::with_capacity(words.len().min(MAX_FORMATS));
        for word in words {
            let payload_type = word.parse().ok().filter(|number| *number <= 127);
            let payload_type = payload_type.ok_or_else(|| self.invalid("m="))?;
            if formats.iter().any(|format| format.payload_type == payload_type) {
                return Err(self.invalid("m="));
            }
            formats.push(Format { payload_type, ..Format::default() });
        }
        Ok(formats)
    }

    fn attribute(&mut self, rest: &str) -> Result<(), SdpError> {
        let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
        match name {
            "ice-ufrag" | "ice-pwd" | "fingerprint" | "setup" => self.transport(name, value),
            "extmap" => self.extmap(value),
            "extmap-allow-mixed" => {
                self.extmap_allow_mixed = true;
                Ok(())
            }
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => {
                let direction = direction(name);
                match self.sections.last_mut() {
                    Some(draft) => draft.section.direction = direction,
                    None => self.session_direction = direction,
                }
                Ok(())
            }
            "group" if self.sections.is_empty() => self.group(value),
            _ => {
                let line = self.line;
                match self.sections.last_mut() {
                    Some(draft) => draft.attribute(name, value, line),
                    None => Ok(()),
                }
            }
        }
    }

    fn transport(&mut self, name: &str, value: &str) -> Result<(), SdpError> {
        let line = self.line;
        let transport = match self.sections.last_mut() {
            Some(draft) => &mut draft.transport,
            None => &mut self.session,
        };
        match name {
            "ice-ufrag" => {
                let valid = (4..=256).contains(&value.len()) && value.bytes().all(is_ice_char);
                let valid = valid.then(|| value.to_owned());
                transport.ufrag = Some(valid.ok_or(SdpError::Line { line, what: "ice-ufrag" })?);
            }
            "ice-pwd" => {
                let valid = (22..=256).contains(&value.len()) && value.bytes().all(is_ice_char);
                transport.password =
                    valid.then_some(true).ok_or(SdpError::Line { line, what: "ice-pwd" })?;
            }
            "fingerprint" => {
                let (hash, hex) = value.split_once(' ').unwrap_or((value, ""));
                if hash.eq_ignore_ascii_case("sha-256") {
                    let parsed = fingerprint(hex.trim());
                    let invalid = SdpError::Line { line, what: "fingerprint" };
                    transport.fingerprint = Some(parsed.ok_or(invalid)?);
                }
            }
            _ => transport.passive = value == "passive",
        }
        Ok(())
    }

    fn extmap(&mut self, value: &str) -> Result<(), SdpError> {
        let mut words = value.split_ascii_whitespace();
        let (Some(id), Some(uri)) = (words.next(), words.next()) else {
            return Err(self.invalid("extmap"));
        };
        let id = id.split('/').next().and_then(|id| id.parse::<u16>().ok());
        let id = id.ok_or_else(|| self.invalid("extmap"))?;
        // 4096 and up are placeholders of RFC 8285, section 6, that no packet carries.
        let Some(id) = u8::try_from(id).ok().filter(|id| *id > 0 && uri.len() <= MAX_WORD) else {
            return Ok(());
        };
        let extmaps = match self.sections.last_mut() {
            Some(draft) => &mut draft.section.extmaps,
            None => &mut self.session_extmaps,
        };
        if extmaps.len() >= MAX_EXTMAPS {
            return Err(SdpError::TooMany { what: "extmap", limit: MAX_EXTMAPS });
        }
        extmaps.push(Extmap { id, uri: uri.to_owned() });
        Ok(())
    }

    fn group(&mut self, value: &str) -> Result<(), SdpError> {
        let mut words = value.split_ascii_whitespace();
        if words.next() != Some("BUNDLE") {
            return Ok(());
        }
        self.bundle.clear();
        for word in words.take(MAX_SECTIONS) {
            self.bundle.push(Label::new(word.as_bytes()).ok_or_else(|| self.invalid("group"))?);
        }
        Ok(())
    }

    fn finish(self) -> Result<Offer, SdpError> {
        if self.line == 0 {
            return Err(SdpError::Version);
        }
        let mut transport = self.session;
        let alone = self.sections.len() == 1;
        let mut sections = Vec::with_capacity(self.sections.len());
        let mut seen: Vec<Label> = Vec::with_capacity(self.sections.len());
        for draft in self.sections {
            let mid = draft.mid.filter(|mid| !seen.contains(mid)).ok_or(SdpError::Mid)?;
            seen.push(mid);
            let mut section = Section { mid, ..draft.section };
            section.stopped = draft.port == 0 && !draft.bundle_only;
            if !section.stopped {
                let rtp = matches!(section.kind, SectionKind::Audio | SectionKind::Video);
                let bundled = alone || self.bundle.contains(&mid);
                if !bundled || (rtp && !draft.mux) {
                    return Err(SdpError::NotBundled);
                }
                transport.merge(draft.transport);
            }
            sections.push(section);
        }
        if transport.passive {
            return Err(SdpError::Passive);
        }
        let ice_ufrag = transport.ufrag.filter(|_| transport.password).ok_or(SdpError::NoIce)?;
        Ok(Offer {
            fingerprint: transport.fingerprint.ok_or(SdpError::NoFingerprint)?,
            ice_ufrag,
            extmap_allow_mixed: self.extmap_allow_mixed,
            sections,
        })
    }

    fn invalid(&self, what: &'static str) -> SdpError {
        SdpError::Line { line: self.line, what }
    }
}

impl Transport {
    /// The first section of a bundle speaks for all.
    fn merge(&mut self, other: Self) {
        if self.ufrag.is_none() {
            self.ufrag = other.ufrag;
            self.password |= other.password;
        }
        self.fingerprint = self.fingerprint.or(other.fingerprint);
        self.passive |= other.passive;
    }
}

impl Draft {
    fn attribute(&mut self, name: &str, value: &str, line: usize) -> Result<(), SdpError> {
        let done = match name {
            "mid" => {
                self.mid = Label::new(value.as_bytes());
                self.mid.map(|_| ())
            }
            "rtcp-mux" => {
                self.mux = true;
                Some(())
            }
            "bundle-only" => {
                self.bundle_only = true;
                Some(())
            }
            _ => attribute::read(&mut self.section, name, value)?,
        };
        done.ok_or(SdpError::Line { line, what: attribute::known(name) })
    }
}

fn direction(name: &str) -> Direction {
    match name {
        "sendonly" => Direction::SendOnly,
        "recvonly" => Direction::RecvOnly,
        "inactive" => Direction::Inactive,
        _ => Direction::SendRecv,
    }
}

fn fingerprint(hex: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    let mut pairs = hex.split(':');
    for byte in &mut bytes {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        pair.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(Fingerprint(bytes))
}

fn is_ice_char(byte: u8) -> bool {
    // RFC 8839, section 5.4, and what some clients use beside it.
    byte.is_ascii_graphic()
}

const MAX_FORMATS: usize = 128;
const MAX_EXTMAPS: usize = 64;
