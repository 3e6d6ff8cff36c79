//! What is kept for every synchronisation source: its packet index, and the indices used.

use super::SrtpError;

/// How many sources one direction of a peer may have, RTP and RTCP each.
///
/// A browser uses two to six for every track that it ever published on the connection.
pub const MAX_SOURCES: usize = 1_024;
/// How far back repeated packets are noticed; older ones are refused.
pub const RTP_WINDOW: u64 = 64 * RTP_WORDS as u64;
/// How far back repeated compounds are noticed; older ones are refused.
pub const RTCP_WINDOW: u64 = 64 * RTCP_WORDS as u64;

/// State by source, found by binary search: no hashing, hence none to be attacked.
pub(super) struct Sources<S> {
    /// Sorted by source, with the place in `states`.
    order: Vec<(u32, usize)>,
    states: Vec<S>,
    /// The one that was found last: most packets in a row are of one source.
    recent: Option<(u32, usize)>,
    limit: usize,
}

impl<S> Sources<S> {
    pub(super) fn new(limit: usize) -> Self {
        Self { order: Vec::new(), states: Vec::new(), recent: None, limit }
    }

    /// `None` for a source not seen before.
    ///
    /// # Errors
    /// [`SrtpError::TooManySources`] if it could not be kept.
    pub(super) fn find(&mut self, ssrc: u32) -> Result<Option<&mut S>, SrtpError> {
        if let Some((known, place)) = self.recent
            && known == ssrc
        {
            return Ok(self.states.get_mut(place));
        }
        match self.order.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            Ok(at) => {
                self.recent = self.order.get(at).copied();
                Ok(self.recent.and_then(|(_, place)| self.states.get_mut(place)))
            }
            Err(_) if self.states.len() >= self.limit => {
                Err(SrtpError::TooManySources { limit: self.limit })
            }
            Err(_) => Ok(None),
        }
    }

    /// Keeps a source that [`Sources::find`] did not find.
    pub(super) fn insert(&mut self, ssrc: u32, state: S) {
        if let Err(at) = self.order.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            if self.states.len() < FEW {
                self.order.reserve_exact(1);
                self.states.reserve_exact(1);
            }
            self.order.insert(at, (ssrc, self.states.len()));
            self.states.push(state);
        }
    }
}

/// The highest index used, and a bit for each of the last `64 * WORDS`.
#[derive(Clone)]
pub(super) struct Window<const WORDS: usize> {
    highest: u64,
    /// Bit `index % (64 * WORDS)`.
    used: [u64; WORDS],
}

/// The window of an RTP source.
pub(super) type RtpWindow = Window<RTP_WORDS>;
/// The window of an RTCP source.
pub(super) type RtcpWindow = Window<RTCP_WORDS>;

impl<const WORDS: usize> Window<WORDS> {
    const SIZE: u64 = 64 * WORDS as u64;

    /// Starts with the first index that was used.
    pub(super) fn new(index: u64) -> Self {
        let mut window = Self { highest: index, used: [0; WORDS] };
        window.set(index);
        window
    }

    /// Refuses an index that was used, or may have been.
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        let Some(behind) = self.highest.checked_sub(index) else { return Ok(()) };
        if behind >= Self::SIZE {
            return Err(SrtpError::TooOld { window: Self::SIZE });
        }
        let (word, bit) = Self::place(index);
        match self.used.get(word) {
            Some(word) if word & bit == 0 => Ok(()),
            _ => Err(SrtpError::Repeated),
        }
    }

    /// Notes that an index is used, one that [`Window::check`] let through.
    pub(super) fn accept(&mut self, index: u64) {
        if index > self.highest {
            if index - self.highest >= Self::SIZE {
                self.used = [0; WORDS];
            } else {
                (self.highest + 1..index).for_each(|skipped| self.clear(skipped));
            }
            self.highest = index;
        }
        self.set(index);
    }

    fn set(&mut self, index: u64) {
        let (word, bit) = Self::place(index);
        if let Some(word) = self.used.get_mut(word) {
            *word |= bit;
        }
    }

    fn clear(&mut self, index: u64) {
        let (word, bit) = Self::place(index);
        if let Some(word) = self.used.get_mut(word) {
            *word &= !bit;
        }
    }

    fn place(index: u64) -> (usize, u64) {
        let word = usize::try_from(index / 64 % WORDS as u64).unwrap_or_default();
        (word, 1 << (index % 64))
    }
}

impl RtpWindow {
    /// The index (rollover counter and sequence number) that a sequence number means, most likely.
    ///
    /// # Errors
    /// [`SrtpError::TooOld`] if it is from before the first round, [`SrtpError::Exhausted`] if it is
    /// beyond the last.
    ///
    /// # Source
    /// RFC 3711, section 3.3.1, the algorithm of appendix A.
    pub(super) fn estimate(&self, sequence: u16) -> Result<u64, SrtpError> {
        let round = self.highest >> 16;
        let sequence = u64::from(sequence);
        let newest = self.highest & 0xffff;
        let round = if newest < HALF && sequence > newest + HALF {
            round.checked_sub(1).ok_or(SrtpError::TooOld { window: Self::SIZE })?
        } else if newest >= HALF && sequence < newest - HALF {
            round + 1
        } else {
            round
        };
        if round > u64::from(u32::MAX) {
            return Err(SrtpError::Exhausted);
        }
        Ok((round << 16) | sequence)
    }
}

const HALF: u64 = 1 << 15;
/// Most peers receive one or two sources, and there are many such peers: no room for more.
const FEW: usize = 4;
const RTP_WORDS: usize = 16;
const RTCP_WORDS: usize = 2;
