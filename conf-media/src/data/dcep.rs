//! The Data Channel Establishment Protocol: one OPEN, one ACK.
//!
//! Source: RFC 8832, section 5.

use super::MAX_LABEL;
use super::channel::{Channel, Repeat};

/// Reads a DATA_CHANNEL_OPEN; `None` for anything else, and for labels that are no text.
pub(super) fn read_open(message: &[u8]) -> Option<Channel> {
    let (head, rest) = message.split_first_chunk::<12>()?;
    let &[kind, channel_type, _, _, p0, p1, p2, p3, l0, l1, _, _] = head;
    if kind != OPEN {
        return None;
    }
    let label = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
    if label.len() > MAX_LABEL {
        return None;
    }
    let parameter = u32::from_be_bytes([p0, p1, p2, p3]);
    let repeat = match channel_type & 0x7F {
        0 => Repeat::Always,
        1 => Repeat::Times(parameter),
        2 => Repeat::For(parameter),
        _ => return None,
    };
    let label = std::str::from_utf8(label).ok()?.into();
    Some(Channel { label, ordered: channel_type & 0x80 == 0, repeat })
}

pub(super) const OPEN: u8 = 3;
/// The whole DATA_CHANNEL_ACK.
pub(super) const ACK: [u8; 1] = [2];
