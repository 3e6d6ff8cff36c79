//! Text that people typed: cleaned, never empty, never too long.
//!
//! Control characters go (they move cursors and break logs). Names also lose the characters that
//! turn the direction of the text around them: in a list they would disguise other names
//! (Unicode UTS 39, section 5; UAX 9, section 2).

/// Why a text was not taken. The text itself is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing that can be seen.
    #[error("the text is empty")]
    Empty,
    /// Too long.
    #[error("the text is longer than {limit} characters")]
    TooLong {
        /// Characters (Unicode scalar values) that fit.
        limit: usize,
    },
}

/// Cleans a name: one line, single spaces, nothing that turns the writing direction.
///
/// # Errors
/// [`TextError`] if nothing visible remains, or more than `limit` characters.
pub(crate) fn name(text: &str, limit: usize) -> Result<String, TextError> {
    let kept = cap(text, limit)?.replace(char::is_whitespace, " ");
    let kept: String = kept.chars().filter(|c| !c.is_control() && !turns_direction(*c)).collect();
    let words: Vec<&str> = kept.split(' ').filter(|word| !word.is_empty()).collect();
    fits(words.join(" "), limit)
}

/// Cleans a message: line breaks and tabs stay, other control characters go.
///
/// # Errors
/// As [`name`].
pub(crate) fn message(text: &str, limit: usize) -> Result<String, TextError> {
    let kept = cap(text, limit)?.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String =
        kept.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    fits(kept.trim().to_owned(), limit)
}

/// Refuses what is far too long before any work is done on it.
fn cap(text: &str, limit: usize) -> Result<&str, TextError> {
    const LONGEST_CHARACTER: usize = 4;
    const ROOM_FOR_CLEANING: usize = 1_024;
    if text.len() > limit.saturating_mul(LONGEST_CHARACTER).saturating_add(ROOM_FOR_CLEANING) {
        return Err(TextError::TooLong { limit });
    }
    Ok(text)
}

fn fits(text: String, limit: usize) -> Result<String, TextError> {
    if text.chars().all(|c| c.is_whitespace() || invisible(c)) {
        return Err(TextError::Empty);
    }
    if text.chars().count() > limit {
        return Err(TextError::TooLong { limit });
    }
    Ok(text)
}

/// Embeddings, overrides and isolates.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that draw nothing (Unicode property `Default_Ignorable_Code_Point`, and the blank
/// Braille pattern). Alone they make an empty name; among others they may join letters and emoji.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_line_with_single_spaces() {
        assert_eq!(name("  Ada \t\n Lovelace\u{0} ", 60).unwrap(), "Ada Lovelace");
        assert_eq!(name("Ada\u{202e}ecalevoL", 60).unwrap(), "AdaecalevoL");
    }

    #[test]
    fn a_name_that_cannot_be_seen_is_empty() {
        for text in ["", " \t ", "\u{200b}\u{200d}", "\u{7}", "\u{3164}", "\u{202e}"] {
            assert_eq!(name(text, 60), Err(TextError::Empty), "{text:?}");
        }
    }

    #[test]
    fn joined_emoji_stay_whole() {
        assert_eq!(name("👩\u{200d}🔬", 60).unwrap(), "👩\u{200d}🔬");
    }

    #[test]
    fn length_counts_characters_after_cleaning() {
        assert_eq!(name(&format!(" {} ", "ß".repeat(60)), 60).unwrap().chars().count(), 60);
        assert_eq!(name(&"ß".repeat(61), 60), Err(TextError::TooLong { limit: 60 }));
        assert_eq!(
            message(&"x".repeat(1_000_000), 2_000),
            Err(TextError::TooLong { limit: 2_000 })
        );
    }

    #[test]
    fn a_message_keeps_its_lines_and_loses_control_characters() {
        assert_eq!(message("\n a\r\nb\rc\td\u{1b}[31m\u{85}\n", 99).unwrap(), "a\nb\nc\td[31m");
    }
}
