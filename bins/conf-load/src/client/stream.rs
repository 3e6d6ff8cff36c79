//! One received source: its sequence numbers, what is missing, what is reported of it.

use std::time::Instant;

use conf_media::command::Kind;
use conf_media::seq::{Missing, MissingPackets, ReceiverStats, Unwrapper};

/// A source at one subscriber.
pub(super) struct Stream {
    pub(super) ssrc: u32,
    pub(super) kind: Kind,
    pub(super) stats: ReceiverStats,
    pub(super) missing: Option<MissingPackets>,
    /// A keyframe was seen; always of microphones.
    pub(super) keyframe: bool,
    /// No keyframe is asked for before this.
    pub(super) ask_at: Option<Instant>,
    numbers: Unwrapper,
    /// Bit n: the number n behind the highest came.
    window: u128,
}

/// What a sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Ahead, with so many skipped in between.
    Ahead(u64),
    /// One that was skipped, or a retransmission of it.
    Late,
    /// It came before, or is too far behind to tell.
    Again,
}

impl Stream {
    pub(super) fn new(ssrc: u32, kind: Kind, nack: bool) -> Self {
        let clock = match kind {
            Kind::Audio => 48_000,
            Kind::Video => 90_000,
        };
        let missing = nack && kind == Kind::Video;
        Self {
            ssrc,
            kind,
            stats: ReceiverStats::new(clock),
            missing: missing.then(|| MissingPackets::new(ASKING)),
            keyframe: kind == Kind::Audio,
            ask_at: None,
            numbers: Unwrapper::default(),
            window: 0,
        }
    }

    /// A packet with this number came, over this source or its retransmissions.
    pub(super) fn place(&mut self, sequence: u16) -> Place {
        let Some(highest) = self.numbers.highest() else {
            self.numbers.extend(sequence);
            self.window = 1;
            return Place::Ahead(0);
        };
        let number = self.numbers.extend(sequence);
        if number > highest {
            let step = number - highest;
            let shift = u32::try_from(step).unwrap_or(u32::MAX);
            self.window = self.window.checked_shl(shift).unwrap_or_default() | 1;
            return Place::Ahead(step - 1);
        }
        let bit = u32::try_from(highest - number).unwrap_or(u32::MAX);
        match 1_u128.checked_shl(bit) {
            Some(bit) if self.window & bit == 0 => {
                self.window |= bit;
                Place::Late
            }
            _ => Place::Again,
        }
    }
}

/// As a browser: at once, again after a round trip, and not for long.
const ASKING: Missing =
    Missing { interval: INTERVAL, bounds: (INTERVAL, INTERVAL), tries: 5, reach: 128, most: 64 };
const INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_late_packets_and_repetitions_are_told_apart() {
        let mut stream = Stream::new(1, Kind::Video, true);
        let mut places = |numbers: &[u16]| {
            numbers.iter().map(|&number| stream.place(number)).collect::<Vec<_>>()
        };
        assert_eq!(places(&[65_534, 65_535, 0]), [Place::Ahead(0); 3]);
        assert_eq!(
            places(&[3, 1, 1, 2]),
            [Place::Ahead(2), Place::Late, Place::Again, Place::Late]
        );
        assert_eq!(places(&[203, 4]), [Place::Ahead(199), Place::Again]);
    }
}
