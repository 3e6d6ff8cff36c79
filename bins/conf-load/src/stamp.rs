//! Who sent a packet, and when: written at the end of each payload, found after opening.
//!
//! Servers rewrite sequence numbers, time stamps, sources and VP8 picture ids, so nothing of the
//! header tells a subscriber which packet this was. The last [`LEN`] bytes of the payload do: a
//! mark, the publisher, a counter and the moment of sending, all encrypted on the wire.

/// Bytes of a stamp.
pub const LEN: usize = 24;

/// A packet's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The publisher's source.
    pub source: u32,
    /// Counts the packets of that source from 0.
    pub counter: u64,
    /// Nanoseconds since 1970 at the system call that sent it.
    pub sent_nanos: u64,
}

impl Stamp {
    /// Writes it over the end of `payload`; `false` if that is too short.
    pub fn write(&self, payload: &mut [u8]) -> bool {
        let Some(place) = payload.last_chunk_mut::<LEN>() else { return false };
        let (mark, rest) = place.split_at_mut(MARK.len());
        let (source, rest) = rest.split_at_mut(4);
        let (counter, sent) = rest.split_at_mut(8);
        mark.copy_from_slice(&MARK);
        source.copy_from_slice(&self.source.to_be_bytes());
        counter.copy_from_slice(&self.counter.to_be_bytes());
        sent.copy_from_slice(&self.sent_nanos.to_be_bytes());
        true
    }

    /// Reads it from the end of `payload` (without RTP padding); `None` if there is none.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let rest = payload.last_chunk::<LEN>()?;
        let (mark, rest) = rest.split_first_chunk()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (counter, rest) = rest.split_first_chunk()?;
        let (sent, _) = rest.split_first_chunk()?;
        (*mark == MARK).then_some(Self {
            source: u32::from_be_bytes(*source),
            counter: u64::from_be_bytes(*counter),
            sent_nanos: u64::from_be_bytes(*sent),
        })
    }
}

const MARK: [u8; 4] = *b"load";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_noise_is_not() {
        let stamp = Stamp { source: 7, counter: 1 << 40, sent_nanos: u64::MAX - 1 };
        let mut payload = [9; 120];
        assert!(stamp.write(&mut payload));
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(payload[..96], [9; 96]);
        assert_eq!(Stamp::read(&payload[..119]), None);
        assert!(!stamp.write(&mut [0; 23]));
        assert_eq!(Stamp::read(&[0; 23]), None);
    }
}
