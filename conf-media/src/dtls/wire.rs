//! Records and handshake messages as they lie in a datagram, and putting fragments together.
//!
//! Nothing here trusts a length: what does not fit is `None`, what is over a bound is refused.
//!
//! Source: RFC 6347, sections 4.1 (records) and 4.2.2 (handshake header, fragments).

/// A record as it stands in a datagram.
pub(super) struct Record<'a> {
    pub(super) content_type: u8,
    pub(super) version: u16,
    pub(super) epoch: u16,
    /// 48 bits.
    pub(super) sequence: &'a [u8],
    pub(super) body: &'a [u8],
}

impl<'a> Record<'a> {
    /// `None` at the end of the datagram, and where the record does not fit into it.
    pub(super) fn read(rest: &mut Bytes<'a>) -> Option<Self> {
        let content_type = rest.u8()?;
        let version = rest.u16()?;
        let epoch = rest.u16()?;
        let sequence = rest.take(6)?;
        let body = rest.vector16()?;
        Some(Self { content_type, version, epoch, sequence, body })
    }

    /// The record again, under another number where one is given.
    pub(super) fn write(&self, number: Option<u64>) -> Vec<u8> {
        let [_, _, own @ ..] = number.unwrap_or_default().to_be_bytes();
        let sequence = if number.is_some() { &own } else { self.sequence };
        let mut out = Vec::with_capacity(RECORD_HEADER + self.body.len());
        out.push(self.content_type);
        out.extend(self.version.to_be_bytes());
        out.extend(self.epoch.to_be_bytes());
        out.extend(sequence);
        out.extend(u16::try_from(self.body.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(self.body);
        out
    }
}

/// A piece of a handshake message.
pub(super) struct Fragment<'a> {
    pub(super) message: u8,
    /// Of the whole message.
    pub(super) length: usize,
    pub(super) message_seq: u16,
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// `None` at the end of the record, and where the fragment does not fit into it.
    pub(super) fn read(rest: &mut Bytes<'a>) -> Option<Self> {
        let message = rest.u8()?;
        let length = rest.u24()?;
        let message_seq = rest.u16()?;
        let offset = rest.u24()?;
        let bytes = rest.u24()?;
        Some(Self { message, length, message_seq, offset, bytes: rest.take(bytes)? })
    }
}

/// Why fragments make no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A fragment reaches over the end of its message.
    Overrun,
    /// A message comes in more pieces than [`MAX_FRAGMENTS`].
    TooMany,
}

/// Puts fragments together; they may come in any order, overlap, and come again.
#[derive(Debug)]
pub(super) struct Assembler {
    open: Vec<Partial>,
    /// As many messages at once; the oldest makes room.
    limit: usize,
}

impl Assembler {
    pub(super) const fn new(limit: usize) -> Self {
        Self { open: Vec::new(), limit }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    #[cfg(test)]
    pub(super) fn open_len(&self) -> usize {
        self.open.len()
    }

    /// The body of the message once all of it is there. The caller has bounded `fragment.length`.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, Unfit> {
        let same = |p: &Partial| {
            p.message_seq == fragment.message_seq
                && p.message == fragment.message
                && p.bytes.len() == fragment.length
        };
        let mut partial = match self.open.iter().position(same) {
            Some(at) => self.open.remove(at),
            None => {
                // The first of it, or the peer began afresh under the same number.
                self.open.retain(|p| p.message_seq != fragment.message_seq);
                Partial::new(fragment)
            }
        };
        partial.add(fragment)?;
        if partial.is_complete() {
            return Ok(Some(partial.bytes));
        }
        if self.open.len() >= self.limit {
            self.open.remove(0);
        }
        self.open.push(partial);
        Ok(None)
    }
}

#[derive(Debug)]
struct Partial {
    message: u8,
    message_seq: u16,
    bytes: Vec<u8>,
    /// Ranges that have come, none inside another; at most [`MAX_FRAGMENTS`].
    ranges: Vec<(usize, usize)>,
}

impl Partial {
    fn new(fragment: &Fragment<'_>) -> Self {
        Self {
            message: fragment.message,
            message_seq: fragment.message_seq,
            bytes: vec![0; fragment.length],
            ranges: Vec::new(),
        }
    }

    fn add(&mut self, fragment: &Fragment<'_>) -> Result<(), Unfit> {
        let (start, end) = (fragment.offset, fragment.offset + fragment.bytes.len());
        let place = self.bytes.get_mut(start..end).ok_or(Unfit::Overrun)?;
        if self.ranges.iter().any(|&(from, to)| from <= start && end <= to) {
            return Ok(()); // a repetition
        }
        if self.ranges.len() >= MAX_FRAGMENTS {
            return Err(Unfit::TooMany);
        }
        place.copy_from_slice(fragment.bytes);
        self.ranges.push((start, end));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let mut covered = 0;
        // At most MAX_FRAGMENTS rounds: each either extends the covered prefix or is the last.
        while let Some(&(_, end)) =
            self.ranges.iter().find(|&&(start, end)| start <= covered && covered < end)
        {
            covered = end;
        }
        covered == self.bytes.len()
    }
}

/// A whole handshake message as one record of epoch 0.
pub(super) fn record(message: u8, message_seq: u16, body: &[u8], sequence: &[u8]) -> Vec<u8> {
    let u24 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes().into_iter().skip(1);
    let len = u16::try_from(body.len() + HANDSHAKE_HEADER).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(RECORD_HEADER + HANDSHAKE_HEADER + body.len());
    out.push(HANDSHAKE);
    out.extend(DTLS_1_2.to_be_bytes());
    out.extend([0, 0]); // epoch
    out.extend(sequence);
    out.extend(len.to_be_bytes());
    out.push(message);
    out.extend(u24(body.len()));
    out.extend(message_seq.to_be_bytes());
    out.extend(u24(0));
    out.extend(u24(body.len()));
    out.extend(body);
    out
}

/// What is left to read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<usize> {
        Some(usize::from(self.u8()?) << 16 | usize::from(self.u16()?))
    }

    pub(super) fn vector8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(len.into())
    }

    pub(super) fn vector16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(len.into())
    }

    pub(super) fn vector24(&mut self) -> Option<&'a [u8]> {
        let len = self.u24()?;
        self.take(len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// 8,192 bytes in the smallest datagrams that are sensible.
pub(super) const MAX_FRAGMENTS: usize = 16;
/// Of one datagram.
pub(super) const MAX_RECORDS: usize = 16;
pub(super) const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;
pub(super) const DTLS_1_0: u16 = 0xFEFF;
pub(super) const DTLS_1_2: u16 = 0xFEFD;
/// Content types.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
/// Handshake messages that a server is sent in the clear.
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const CERTIFICATE_VERIFY: u8 = 15;
pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
