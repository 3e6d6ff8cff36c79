//! Reads a server's description: where it is reached, with what keys, how sections are numbered.

use std::net::SocketAddr;

use conf_media::command::{Fingerprint, Kind};

use super::SdpError;

/// The server's side of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// ICE user name fragment.
    pub ufrag: String,
    /// ICE password.
    pub password: String,
    /// What its certificate must hash to.
    pub fingerprint: Fingerprint,
    /// UDP host candidates, in order of the text.
    pub candidates: Vec<SocketAddr>,
    /// Audio and video sections that are not rejected.
    pub sections: Vec<Section>,
}

/// One media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Microphone or camera.
    pub kind: Kind,
    /// Its name in the bundle.
    pub mid: String,
    /// Payload type of VP8 or Opus.
    pub media: Option<u8>,
    /// Payload type of retransmissions of [`Section::media`].
    pub rtx: Option<u8>,
    /// Header extensions: id and name.
    pub extensions: Vec<(u8, String)>,
    /// Sources that the server announces here.
    pub ssrcs: Vec<u32>,
}

impl Section {
    /// The id under which an extension was agreed.
    #[must_use]
    pub fn extension(&self, uri: &str) -> Option<u8> {
        self.extensions.iter().find(|(_, name)| name == uri).map(|(id, _)| *id)
    }
}

impl Remote {
    /// Reads an answer, or an offer of a server.
    ///
    /// # Errors
    /// [`SdpError`]: what is missing or wrong. Rejected sections are left out; if all are,
    /// [`SdpError::Rejected`].
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let mut reader = Reader::default();
        for (number, line) in text.lines().enumerate() {
            reader.line(number + 1, line.trim_end())?;
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    ufrag: Option<String>,
    password: Option<String>,
    fingerprint: Option<Fingerprint>,
    candidates: Vec<SocketAddr>,
    sections: Vec<Draft>,
}

/// A section in the making.
struct Draft {
    kind: Option<Kind>,
    rejected: bool,
    mid: String,
    /// Payload type, codec in lower case.
    codecs: Vec<(u8, String)>,
    /// Payload type, and which one it repeats.
    repairs: Vec<(u8, u8)>,
    extensions: Vec<(u8, String)>,
    ssrcs: Vec<u32>,
}

impl Reader {
    fn line(&mut self, line: usize, text: &str) -> Result<(), SdpError> {
        if let Some(media) = text.strip_prefix("m=") {
            self.sections.push(Draft::new(media));
            return Ok(());
        }
        let Some(attribute) = text.strip_prefix("a=") else { return Ok(()) };
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let wrong = |what| SdpError::Line { line, what };
        match name {
            "ice-ufrag" => drop(self.ufrag.get_or_insert_with(|| value.into())),
            "ice-pwd" => drop(self.password.get_or_insert_with(|| value.into())),
            "fingerprint" => {
                let read = fingerprint(value);
                self.fingerprint = self.fingerprint.or(read);
            }
            "setup" if value == "active" => return Err(SdpError::Active),
            "candidate" => self.candidates.extend(candidate(value)),
            _ => {
                if let Some(section) = self.sections.last_mut() {
                    section.attribute(name, value).ok_or(wrong("attribute"))?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Remote, SdpError> {
        let mut candidates = self.candidates;
        candidates.sort_unstable();
        candidates.dedup();
        if candidates.is_empty() {
            return Err(SdpError::Missing { what: "UDP candidate" });
        }
        let refused = self.sections.iter().find(|section| section.rejected);
        let refused = refused.map(|section| section.mid.clone());
        let sections: Vec<_> = self.sections.into_iter().filter_map(Draft::finish).collect();
        match refused {
            Some(mid) if sections.is_empty() => return Err(SdpError::Rejected { mid }),
            _ => {}
        }
        Ok(Remote {
            ufrag: self.ufrag.ok_or(SdpError::Missing { what: "ice-ufrag" })?,
            password: self.password.ok_or(SdpError::Missing { what: "ice-pwd" })?,
            fingerprint: self
                .fingerprint
                .ok_or(SdpError::Missing { what: "sha-256 fingerprint" })?,
            candidates,
            sections,
        })
    }
}

impl Draft {
    fn new(media: &str) -> Self {
        let mut words = media.split(' ');
        let kind = match words.next() {
            Some("audio") => Some(Kind::Audio),
            Some("video") => Some(Kind::Video),
            _ => None,
        };
        let rejected = words.next() == Some("0");
        Self {
            kind,
            rejected,
            mid: String::new(),
            codecs: Vec::new(),
            repairs: Vec::new(),
            extensions: Vec::new(),
            ssrcs: Vec::new(),
        }
    }

    /// `None`: not of the form it should have.
    fn attribute(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "mid" => self.mid = value.into(),
            "rtpmap" => {
                let (number, codec) = value.split_once(' ')?;
                let codec = codec.split('/').next()?.to_ascii_lowercase();
                self.codecs.push((number.parse().ok()?, codec));
            }
            "fmtp" => {
                let (number, parameters) = value.split_once(' ')?;
                let repeated =
                    parameters.split(';').find_map(|pair| pair.trim().strip_prefix("apt="));
                if let Some(repeated) = repeated {
                    self.repairs.push((number.parse().ok()?, repeated.parse().ok()?));
                }
            }
            "extmap" => {
                let (id, uri) = value.split_once(' ')?;
                let id = id.split('/').next()?.parse().ok()?;
                self.extensions.push((id, uri.split(' ').next()?.into()));
            }
            "ssrc" => {
                let ssrc = value.split(' ').next()?.parse().ok()?;
                if !self.ssrcs.contains(&ssrc) {
                    self.ssrcs.push(ssrc);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn finish(self) -> Option<Section> {
        let kind = self.kind.filter(|_| !self.rejected)?;
        let wanted = match kind {
            Kind::Audio => "opus",
            Kind::Video => "vp8",
        };
        let media =
            self.codecs.iter().find(|(_, codec)| codec == wanted).map(|(number, _)| *number);
        let is_rtx =
            |number: u8| self.codecs.iter().any(|(n, codec)| *n == number && codec == "rtx");
        let repair = self.repairs.iter().find(|(rtx, of)| Some(*of) == media && is_rtx(*rtx));
        Some(Section {
            kind,
            mid: self.mid,
            media,
            rtx: repair.map(|(rtx, _)| *rtx),
            extensions: self.extensions,
            ssrcs: self.ssrcs,
        })
    }
}

fn fingerprint(value: &str) -> Option<Fingerprint> {
    let (algorithm, hex) = value.split_once(' ')?;
    if !algorithm.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut bytes = [0; 32];
    let mut pairs = hex.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(pairs.next()?, 16).ok()?;
    }
    pairs.next().is_none().then_some(Fingerprint(bytes))
}

/// A UDP candidate of component 1; others are no use to us.
fn candidate(value: &str) -> Option<SocketAddr> {
    let mut words = value.split(' ');
    let (component, protocol) = (words.nth(1)?, words.next()?);
    let (ip, port) = (words.nth(1)?.parse().ok()?, words.next()?.parse().ok()?);
    (component == "1" && protocol.eq_ignore_ascii_case("udp")).then(|| SocketAddr::new(ip, port))
}
