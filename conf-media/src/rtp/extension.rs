//! Elements of the RTP header-extension block, in both forms (RFC 8285).

/// How the extension block of a packet is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// No block, or one of an unknown profile.
    #[default]
    None,
    /// Profile 0xBEDE: ids 1 to 14, values of 1 to 16 bytes.
    OneByte,
    /// Profiles 0x1000 to 0x100F: ids 1 to 255, values of 0 to 255 bytes.
    TwoByte,
}

impl Form {
    /// The form that a block's profile number stands for.
    #[must_use]
    pub fn of_profile(profile: u16) -> Self {
        match profile {
            0xbede => Self::OneByte,
            0x1000..=0x100f => Self::TwoByte,
            _ => Self::None,
        }
    }

    /// The first id and value of `bytes`, and what follows them; skips padding.
    fn next(self, mut bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
        while let [0, rest @ ..] = bytes {
            bytes = rest;
        }
        let (id, length, rest) = match (self, bytes) {
            (Self::OneByte, [head, rest @ ..]) => {
                let id = head >> 4;
                // Id 15 is reserved and ends the block; id 0 with a length is no padding byte.
                if id == 0 || id == 15 {
                    return None;
                }
                (id, usize::from(head & 0x0f).saturating_add(1), rest)
            }
            (Self::TwoByte, [id, length, rest @ ..]) => (*id, usize::from(*length), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        Some((id, value, rest))
    }
}

/// Iterates over a packet's header extensions. Made by [`super::View::extensions`].
#[derive(Clone, Debug)]
pub struct ExtensionIter<'a> {
    form: Form,
    rest: &'a [u8],
}

impl<'a> ExtensionIter<'a> {
    pub(super) fn new(form: Form, block: &'a [u8]) -> Self {
        Self { form, rest: block }
    }
}

impl<'a> Iterator for ExtensionIter<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.form.next(self.rest);
        let (id, value, rest) = found.unwrap_or((0, &[], &[]));
        self.rest = rest;
        found.is_some().then_some((id, value))
    }
}
