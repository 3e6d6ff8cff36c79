//! Admits what a peer sent.

use std::fmt;

use super::derive::Sessions;
use super::header::{RTCP_HEADER, RTCP_WORD, RtpHeader, rtcp_source};
use super::protection::{Beside, Identity, Protection};
use super::seal::{ENCRYPTED, rollover};
use super::sources::{MAX_SOURCES, RtcpWindow, RtpWindow, Sources};
use super::{MasterKey, Profile, SrtpError};

/// Opens what comes from one peer, with its keys towards us.
pub struct Opener {
    profile: Profile,
    rtp: Protection,
    rtcp: Protection,
    rtp_sources: Sources<RtpWindow>,
    rtcp_sources: Sources<RtcpWindow>,
}

impl Opener {
    /// Sets the keys up.
    ///
    /// # Errors
    /// [`SrtpError::KeyMaterial`] if key or salt have not the profile's length.
    pub fn new(profile: Profile, master: &MasterKey) -> Result<Self, SrtpError> {
        Self::from_sessions(profile, &Sessions::derive(profile, master)?)
    }

    pub(super) fn from_sessions(profile: Profile, keys: &Sessions) -> Result<Self, SrtpError> {
        Ok(Self {
            profile,
            rtp: Protection::new(profile, &keys.rtp)?,
            rtcp: Protection::new(profile, &keys.rtcp)?,
            rtp_sources: Sources::new(MAX_SOURCES),
            rtcp_sources: Sources::new(MAX_SOURCES),
        })
    }

    /// Opens an SRTP packet in place; returns the length of the RTP packet at its start.
    ///
    /// # Errors
    /// [`SrtpError`], and no state has changed; what `packet` holds then is not defined.
    ///
    /// # Source
    /// RFC 3711, section 3.3; RFC 7714, section 8.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (packet, tag) = split_end(packet, self.profile.rtp_tag_len())?;
        let header = RtpHeader::parse(packet)?;
        let window = self.rtp_sources.find(header.ssrc)?;
        let index = match &window {
            Some(window) => window.estimate(header.sequence)?,
            None => u64::from(header.sequence),
        };
        if let Some(window) = &window {
            window.check(index)?;
        }
        let identity = Identity { ssrc: header.ssrc, index };
        self.rtp.open(identity, rollover(index), (packet, header.len), tag)?;
        match window {
            Some(window) => window.accept(index),
            None => self.rtp_sources.insert(header.ssrc, RtpWindow::new(index)),
        }
        Ok(packet.len())
    }

    /// Opens an SRTCP packet in place; returns the length of the RTCP compound at its start.
    ///
    /// # Errors
    /// [`SrtpError`], and no state has changed; what `packet` holds then is not defined.
    ///
    /// # Source
    /// RFC 3711, section 3.4; RFC 7714, section 9.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (compound, trailer) = split_end(packet, self.profile.rtcp_overhead())?;
        let ssrc = rtcp_source(compound)?;
        let (tag, word) = match self.rtcp {
            Protection::Gcm { .. } => split_end(trailer, RTCP_WORD)?,
            Protection::Cm(_) => {
                let (word, tag) = trailer.split_at_mut(RTCP_WORD);
                (tag, word)
            }
        };
        let word: [u8; RTCP_WORD] = (&*word).try_into().map_err(|_| SrtpError::Library)?;
        let flag_and_index = u32::from_be_bytes(word);
        if flag_and_index & ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let index = u64::from(flag_and_index & !ENCRYPTED);
        let window = self.rtcp_sources.find(ssrc)?;
        if let Some(window) = &window {
            window.check(index)?;
        }
        let identity = Identity { ssrc, index };
        self.rtcp.open(identity, Beside::Word(word), (compound, RTCP_HEADER), tag)?;
        match window {
            Some(window) => window.accept(index),
            None => self.rtcp_sources.insert(ssrc, RtcpWindow::new(index)),
        }
        Ok(compound.len())
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The packet, and the `end` bytes behind it.
fn split_end(packet: &mut [u8], end: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    let len = packet.len();
    let at = len.checked_sub(end).ok_or(SrtpError::Truncated { len, needed: end })?;
    packet.split_at_mut_checked(at).ok_or(SrtpError::Truncated { len, needed: end })
}
