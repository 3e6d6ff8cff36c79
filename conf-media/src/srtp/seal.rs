//! Protects what is sent to a peer.

use std::fmt;

use super::derive::Sessions;
use super::header::{RTCP_HEADER, RTCP_WORD, RtpHeader, rtcp_source};
use super::protection::{Beside, Identity, Protection};
use super::sources::{RTP_WINDOW, RtpWindow, Sources};
use super::{MasterKey, Profile, SrtpError};

/// Seals what goes to one peer, with our keys towards it.
pub struct Sealer {
    profile: Profile,
    rtp: Protection,
    rtcp: Protection,
    rtp_sources: Sources<RtpWindow>,
    /// The next index of each source.
    rtcp_sources: Sources<u32>,
}

impl Sealer {
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
            rtp_sources: Sources::new(OWN_SOURCES),
            rtcp_sources: Sources::new(OWN_SOURCES),
        })
    }

    /// Seals the RTP packet in the first `len` bytes of `buffer`; returns its sealed length.
    ///
    /// The buffer has room for [`Profile::rtp_tag_len`] more bytes. A source starts its sequence
    /// numbers below 32,768, so that the peer counts its rounds from the same packet as we even if
    /// the first ones get lost.
    ///
    /// # Errors
    /// [`SrtpError::Repeated`] or [`SrtpError::TooOld`] for a sequence number that was sealed before
    /// or may have been: retransmissions need a source of their own (RFC 4588). Others if the packet
    /// is no RTP, the buffer too small, or a limit reached. Nothing has changed then.
    ///
    /// # Source
    /// RFC 3711, section 3.3; RFC 7714, section 8.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let sealed = self.check_room(buffer, len, self.profile.rtp_tag_len())?;
        let header = RtpHeader::parse(buffer.get(..len).ok_or(SrtpError::Library)?)?;
        let window = self.rtp_sources.find(header.ssrc)?;
        let index = match &window {
            Some(window) => window.estimate(header.sequence)?,
            None => u64::from(header.sequence),
        };
        if let Some(window) = &window {
            window.check(index)?;
        }
        protect(&self.rtp, (buffer, len, sealed), &header, index)?;
        match window {
            Some(window) => window.accept(index),
            None => self.rtp_sources.insert(header.ssrc, RtpWindow::new(index)),
        }
        Ok(sealed)
    }

    /// Seals a packet once more that was sealed before, for subscribers without a source of
    /// retransmissions. The caller guarantees that it is the same packet, bit by bit: two packets
    /// under one index would give the key away.
    ///
    /// # Errors
    /// [`SrtpError::TooOld`] for a sequence number that was not sealed lately; others as
    /// [`Sealer::seal_rtp`]. Nothing has changed then.
    ///
    /// # Source
    /// RFC 3711, section 3.3: a repeated packet keeps its index.
    pub fn seal_rtp_again(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let sealed = self.check_room(buffer, len, self.profile.rtp_tag_len())?;
        let header = RtpHeader::parse(buffer.get(..len).ok_or(SrtpError::Library)?)?;
        let not_sealed = SrtpError::TooOld { window: RTP_WINDOW };
        let window = self.rtp_sources.find(header.ssrc)?.ok_or(not_sealed)?;
        let index = window.estimate(header.sequence)?;
        match window.check(index) {
            Err(SrtpError::Repeated) => {}
            Err(other) => return Err(other),
            Ok(()) => return Err(not_sealed),
        }
        protect(&self.rtp, (buffer, len, sealed), &header, index)?;
        Ok(sealed)
    }

    /// Seals the RTCP compound in the first `len` bytes of `buffer`; returns its sealed length.
    ///
    /// The buffer has room for [`Profile::rtcp_overhead`] more bytes.
    ///
    /// # Errors
    /// If the compound is no RTCP, the buffer too small, or a limit reached. Nothing has changed
    /// then.
    ///
    /// # Source
    /// RFC 3711, section 3.4; RFC 7714, section 9.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let sealed = self.check_room(buffer, len, self.profile.rtcp_overhead())?;
        let (compound, rest) = buffer.split_at_mut_checked(len).ok_or(SrtpError::Library)?;
        let trailer = rest.get_mut(..sealed - len).ok_or(SrtpError::Library)?;
        let ssrc = rtcp_source(compound)?;
        let next = self.rtcp_sources.find(ssrc)?;
        let index = next.as_deref().copied().unwrap_or_default();
        if index >= ENCRYPTED {
            return Err(SrtpError::Exhausted);
        }
        let word = (index | ENCRYPTED).to_be_bytes();
        let (tag, word_place) = match self.rtcp {
            Protection::Gcm { .. } => trailer.split_at_mut(sealed - len - RTCP_WORD),
            Protection::Cm(_) => {
                let (word_place, tag) = trailer.split_at_mut(RTCP_WORD);
                (tag, word_place)
            }
        };
        word_place.copy_from_slice(&word);
        let identity = Identity { ssrc, index: u64::from(index) };
        self.rtcp.seal(identity, Beside::Word(word), (compound, RTCP_HEADER), tag)?;
        match next {
            Some(next) => *next = index + 1,
            None => self.rtcp_sources.insert(ssrc, index + 1),
        }
        Ok(sealed)
    }

    fn check_room(&self, buffer: &[u8], len: usize, more: usize) -> Result<usize, SrtpError> {
        let needed = len.saturating_add(more);
        if needed > buffer.len() {
            return Err(SrtpError::NoRoom { room: buffer.len(), needed });
        }
        Ok(needed)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Seals the first `len` bytes in place; the tag goes behind them, up to `sealed`.
fn protect(
    rtp: &Protection,
    (buffer, len, sealed): (&mut [u8], usize, usize),
    header: &RtpHeader,
    index: u64,
) -> Result<(), SrtpError> {
    let (packet, rest) = buffer.split_at_mut_checked(len).ok_or(SrtpError::Library)?;
    let tag = rest.get_mut(..sealed - len).ok_or(SrtpError::Library)?;
    let identity = Identity { ssrc: header.ssrc, index };
    rtp.seal(identity, rollover(index), (packet, header.len), tag)
}

/// The rollover counter of an RTP index, as the tag covers it.
pub(super) fn rollover(index: u64) -> Beside {
    let [_, _, counter @ .., _, _] = index.to_be_bytes();
    Beside::Rollover(counter)
}

/// SRTCP's flag, and one more than its highest index.
pub(super) const ENCRYPTED: u32 = 1 << 31;
/// How many sources we may send with on one connection: ours to choose, and many over a long
/// meeting with much coming and going.
const OWN_SOURCES: usize = 16_384;
