//! What is really in a packet: written by publishers into the payload, for the law and for
//! subscribers to check what the engine made of it.

/// One packet of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    /// Which track, which encoding of it.
    pub(super) track: u32,
    pub(super) encoding: u8,
    /// Frames of an encoding are numbered from one on.
    pub(super) frame: u32,
    /// Frames that it needs; 0 for none.
    pub(super) needs: [u32; 2],
    pub(super) packet: u8,
    pub(super) packets: u8,
    /// The packet's number among all of its encoding, from one on.
    pub(super) number: u32,
}

/// Bytes behind the codec's descriptor and first byte.
pub(super) const LEN: usize = 23;
/// Where it begins in a payload.
const AT: usize = 7;

impl Truth {
    pub(super) fn write(&self, payload: &mut [u8]) {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(self.track.to_be_bytes());
        bytes.push(self.encoding);
        bytes.extend(self.frame.to_be_bytes());
        self.needs.iter().for_each(|needed| bytes.extend(needed.to_be_bytes()));
        bytes.extend(self.number.to_be_bytes());
        bytes.extend([self.packet, self.packets]);
        if let Some(place) = payload.get_mut(AT..AT + LEN) {
            place.copy_from_slice(&bytes);
        }
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = payload.get(AT..AT + LEN)?.try_into().ok()?;
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(four))
        };
        let [.., packet, packets] = *bytes;
        Some(Self {
            track: number(0)?,
            encoding: *bytes.get(4)?,
            frame: number(5)?,
            needs: [number(9)?, number(13)?],
            packet,
            packets,
            number: number(17)?,
        })
    }

    /// A decoder can begin with it.
    pub(super) fn is_key(&self) -> bool {
        self.needs == [0, 0]
    }
}
