//! Attributes of one media section.

use super::SdpError;
use super::model::{Application, Msid, Rid, Section, Ssrc, SsrcGroup};
use crate::command::Label;

/// Reads one attribute into its section. `None`: it has not its form. Unknown ones are skipped.
///
/// # Errors
/// [`SdpError::TooMany`] with the limit.
pub(super) fn read(section: &mut Section, name: &str, value: &str) -> Result<Option<()>, SdpError> {
    Ok(match name {
        "rtcp-rsize" => {
            section.rtcp_rsize = true;
            Some(())
        }
        "rtpmap" => rtpmap(section, value),
        "fmtp" => fmtp(section, value),
        "rtcp-fb" => feedback(section, value)?,
        "msid" => {
            section.msid = section.msid.take().or_else(|| msid(value));
            Some(())
        }
        "rid" => rid(section, value)?,
        "simulcast" => simulcast(section, value),
        "ssrc" => ssrc(section, value)?,
        "ssrc-group" => ssrc_group(section, value)?,
        "sctp-port" => {
            value.parse().ok().map(|port| section.application = Some(Application { port }))
        }
        _ => Some(()),
    })
}

fn format_of(section: &mut Section, word: &str) -> Option<Option<usize>> {
    let payload_type: u8 = word.parse().ok()?;
    Some(section.formats.iter().position(|format| format.payload_type == payload_type))
}

fn rtpmap(section: &mut Section, value: &str) -> Option<()> {
    let (word, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let (name, clock) = (parts.next()?, parts.next()?.parse().ok()?);
    let channels = parts.next().and_then(|channels| channels.parse().ok());
    if let Some(format) = format_of(section, word)?.and_then(|at| section.formats.get_mut(at)) {
        format.name = name.to_owned();
        format.clock_rate = clock;
        format.channels = channels;
    }
    Some(())
}

fn fmtp(section: &mut Section, value: &str) -> Option<()> {
    let (word, parameters) = value.split_once(' ')?;
    if let Some(format) = format_of(section, word)?.and_then(|at| section.formats.get_mut(at)) {
        // A second line adds to the first: some clients write one line a parameter.
        if !format.fmtp.is_empty() {
            format.fmtp.push(';');
        }
        format.fmtp.push_str(parameters.trim());
    }
    Some(())
}

fn feedback(section: &mut Section, value: &str) -> Result<Option<()>, SdpError> {
    let Some((word, kind)) = value.split_once(' ') else { return Ok(None) };
    let all = word == "*";
    let wanted: Option<u8> = word.parse().ok();
    if !all && wanted.is_none() {
        return Ok(None);
    }
    if kind.len() > MAX_WORD {
        return Ok(Some(())); // none of ours is that long
    }
    for format in &mut section.formats {
        if all || Some(format.payload_type) == wanted {
            if format.feedback.len() >= MAX_FEEDBACK {
                return Err(SdpError::TooMany { what: "rtcp-fb", limit: MAX_FEEDBACK });
            }
            format.feedback.push(kind.trim().to_owned());
        }
    }
    Ok(Some(()))
}

fn msid(value: &str) -> Option<Msid> {
    let mut words = value.split_ascii_whitespace();
    let stream = words.next()?.to_owned();
    Some(Msid { stream, track: words.next().unwrap_or_default().to_owned() })
}

fn rid(section: &mut Section, value: &str) -> Result<Option<()>, SdpError> {
    if section.rids.len() >= MAX_RIDS {
        return Err(SdpError::TooMany { what: "rid", limit: MAX_RIDS });
    }
    let mut words = value.split_ascii_whitespace();
    let id = words.next().and_then(|id| Label::new(id.as_bytes()));
    let (Some(id), Some(way)) = (id, words.next()) else { return Ok(None) };
    section.rids.push(Rid { id, send: way == "send" });
    Ok(Some(()))
}

fn simulcast(section: &mut Section, value: &str) -> Option<()> {
    let mut words = value.split_ascii_whitespace();
    while let Some(way) = words.next() {
        let list = words.next()?;
        if way != "send" {
            continue;
        }
        section.simulcast.clear();
        for alternatives in list.split(';').take(MAX_RIDS) {
            let first = alternatives.split(',').next()?.trim_start_matches('~');
            section.simulcast.push(Label::new(first.as_bytes())?);
        }
    }
    Some(())
}

fn ssrc(section: &mut Section, value: &str) -> Result<Option<()>, SdpError> {
    let (number, attribute) = value.split_once(' ').unwrap_or((value, ""));
    let Ok(number) = number.parse() else { return Ok(None) };
    let stream = attribute.strip_prefix("msid:").and_then(msid);
    if let Some(known) = section.ssrcs.iter_mut().find(|known| known.ssrc == number) {
        known.msid = known.msid.take().or(stream);
        return Ok(Some(()));
    }
    if section.ssrcs.len() >= MAX_SSRCS {
        return Err(SdpError::TooMany { what: "ssrc", limit: MAX_SSRCS });
    }
    section.ssrcs.push(Ssrc { ssrc: number, msid: stream });
    Ok(Some(()))
}

fn ssrc_group(section: &mut Section, value: &str) -> Result<Option<()>, SdpError> {
    if section.ssrc_groups.len() >= MAX_SSRCS {
        return Err(SdpError::TooMany { what: "ssrc-group", limit: MAX_SSRCS });
    }
    let mut words = value.split_ascii_whitespace();
    let Some(semantics) = words.next() else { return Ok(None) };
    let numbers: Option<Vec<u32>> = words.take(MAX_SSRCS).map(|word| word.parse().ok()).collect();
    let Some(ssrcs) = numbers else { return Ok(None) };
    section.ssrc_groups.push(SsrcGroup { semantics: semantics.to_owned(), ssrcs });
    Ok(Some(()))
}

/// The attribute's name without a lifetime, for the error.
pub(super) fn known(name: &str) -> &'static str {
    const NAMES: [&str; 10] = [
        "mid",
        "rtpmap",
        "fmtp",
        "rtcp-fb",
        "rid",
        "simulcast",
        "ssrc",
        "ssrc-group",
        "sctp-port",
        "msid",
    ];
    NAMES.into_iter().find(|known| *known == name).unwrap_or("attribute")
}

/// Texts that are kept once per section or format.
pub(super) const MAX_WORD: usize = 256;
const MAX_FEEDBACK: usize = 16;
const MAX_RIDS: usize = 8;
const MAX_SSRCS: usize = 64;
