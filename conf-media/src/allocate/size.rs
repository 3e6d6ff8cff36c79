//! Which of several sizes is large enough for what is shown.
//!
//! Sizes are compared by their shorter sides, so that a portrait picture in a wide tile is not
//! taken for too large.

use crate::command::{Preference, Publication};

/// The index of the highest encoding that a subscriber has a use for; `usize::MAX` for any.
pub(crate) fn encoding_for(publication: &Publication, preference: &Preference) -> usize {
    let limit = preference.encoding.map_or(usize::MAX, usize::from);
    let Some(wanted) = preference.size.map(short) else { return limit };
    let last = publication.encodings.len().saturating_sub(1);
    let enough = |&index: &usize| is_enough(short_side(publication, index), wanted);
    (0..last).find(enough).unwrap_or(usize::MAX).min(limit)
}

/// A picture of this shorter side may be shown with that one.
pub(crate) fn is_enough(side: u16, wanted: u16) -> bool {
    f32::from(side) * TOLERANCE >= f32::from(wanted)
}

/// The shorter side of an encoding, in pixels.
pub(crate) fn short_side(publication: &Publication, index: usize) -> u16 {
    let sizes = &publication.sizes;
    if let Some(&size) = sizes.get(index) {
        return short(size);
    }
    // As browsers scale: each is half of the one above.
    let above = publication.encodings.len().saturating_sub(index.saturating_add(1)).min(8);
    let whole = sizes.last().map_or(UNSAID, |&size| short(size));
    whole >> above
}

/// The shorter one of two sides.
pub(crate) fn short((width, height): (u16, u16)) -> u16 {
    width.min(height)
}

/// A picture may be shown larger by this much before the next size is sent.
pub(crate) const TOLERANCE: f32 = 1.1;
/// The shorter side of a picture of which nothing is said.
const UNSAID: u16 = 720;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util::simulcast;

    fn chosen(publication: &Publication, size: (u16, u16)) -> usize {
        encoding_for(publication, &Preference { size: Some(size), ..Preference::default() })
    }

    #[test]
    fn the_smallest_encoding_that_is_large_enough_is_taken() {
        let said =
            Publication { sizes: vec![(320, 180), (640, 360), (1280, 720)], ..simulcast("1") };
        for publication in [&said, &simulcast("1")] {
            assert_eq!(chosen(publication, (160, 90)), 0);
            assert_eq!(chosen(publication, (340, 191)), 0);
            assert_eq!(chosen(publication, (480, 264)), 1);
            assert_eq!(chosen(publication, (264, 480)), 1, "portrait");
            assert_eq!(chosen(publication, (1920, 1080)), usize::MAX);
        }
    }

    #[test]
    fn a_quality_limits_it_too() {
        let size = Some((1280, 720));
        let preference = Preference { size, encoding: Some(0), ..Preference::default() };
        assert_eq!(encoding_for(&simulcast("1"), &preference), 0);
        assert_eq!(encoding_for(&simulcast("1"), &Preference::default()), usize::MAX);
    }
}
