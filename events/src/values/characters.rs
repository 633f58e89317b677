//! Which characters texts may have.

mod unseen;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

pub(super) use self::unseen::check_seen;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text is empty, or has nothing but blanks, marks, and characters that show nothing.
    #[error("must have something to see")]
    NothingToSee,
    /// The text, or a line of it, begins with a character that joins what stands before it, which would be none of its own.
    #[error("must not begin with the character U+{0:04X}, which joins the one before it")]
    Joins(u32),
    /// The text breaks the line, or has a tab, where one line is expected.
    #[error("must be one line without tabs")]
    LineBreak,
    /// The text has a control character, or one that separates lines in some programs and not in others.
    #[error("must not have the control or separator character U+{0:04X}")]
    Control(u32),
    /// The text has a code point that Unicode keeps out of texts that are interchanged.
    #[error("must not have U+{0:04X}, which is no character of a text")]
    NoCharacter(u32),
    /// The text has a character that turns the direction of what follows it, so that it reads as another.
    #[error("must not have the character U+{0:04X}, which changes the direction of text")]
    Direction(u32),
    /// The text has a character that nobody sees and no script needs, so that it looks like another text.
    #[error("must not have the character U+{0:04X}, which nobody sees")]
    Unseen(u32),
    /// The text has too many characters.
    #[error("must have at most {0} characters")]
    TooLong(usize),
}

/// The text in Unicode's form NFC, if all of its characters are allowed. Line feeds and tabs are.
pub(super) fn normalised(text: &str, chars_max: usize) -> Result<String, TextError> {
    let text: String = text.nfc().collect();
    if text.chars().count() > chars_max {
        return Err(TextError::TooLong(chars_max));
    }
    for character in text.chars() {
        let number = u32::from(character);
        if separates(character) {
            return Err(TextError::Control(number));
        }
        if is_kept_out(character) {
            return Err(TextError::NoCharacter(number));
        }
        if turns(character) {
            return Err(TextError::Direction(number));
        }
    }
    if text.chars().all(shows_nothing) {
        return Err(TextError::NothingToSee);
    }
    match text.split('\n').find_map(joining_start) {
        Some(joining) => Err(TextError::Joins(joining.into())),
        None => Ok(text),
    }
}

/// Whether the character is a blank of any width.
pub(super) fn is_blank(character: char) -> bool {
    character.general_category() == GeneralCategory::SpaceSeparator
}

/// The character by which a line joins what is printed before it, as a mark does: a quotation mark or a name would be read
/// otherwise than it stands there. Marks of direction and the like, which show nothing, do not keep it from that.
fn joining_start(line: &str) -> Option<char> {
    let is_passed_over =
        |it: &char| it.general_category() == GeneralCategory::Format && !joins(*it);
    let first = line.chars().find(|it| !is_passed_over(it));
    first.filter(|&it| joins(it))
}

/// Whether the character is shown as a part of the one before it: a mark, the joiner of emoji, or a colour of skin (UAX #29).
fn joins(character: char) -> bool {
    let is_of_emoji = matches!(character, '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}');
    is_of_emoji || character.general_category_group() == GeneralCategoryGroup::Mark
}

fn separates(character: char) -> bool {
    let is_allowed = matches!(character, '\n' | '\t');
    (character.is_control() && !is_allowed) || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether the character embeds, overrides or isolates a direction (UAX #9, section 2). The marks U+200E,
/// U+200F and U+061C turn nothing but what stands next to them, and text that is written from right to left
/// needs them.
const fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether the code point is a noncharacter, a format character that Unicode has deprecated, or one of those around
/// annotations, which mean nothing outside the program that sets them (The Unicode Standard, 23.3, 23.7 and 23.8).
const fn is_kept_out(character: char) -> bool {
    matches!(character, '\u{206a}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffd}')
        || character as u32 & 0xfffe == 0xfffe
}

/// Whether the character leaves no trace, or none that can be read, when it stands alone: blanks, marks on another one,
/// what is for formatting, for private use or not assigned, and a few that are blank although they are letters or
/// symbols. Within words and emoji such characters have a meaning.
fn shows_nothing(character: char) -> bool {
    let group = character.general_category_group();
    let is_for_others = matches!(
        group,
        GeneralCategoryGroup::Mark | GeneralCategoryGroup::Separator | GeneralCategoryGroup::Other
    );
    // Fillers of Hangul and of hieroglyphs, a pattern of Braille without dots, and a note of music without a head.
    let is_blank = matches!(
        character,
        '\u{115f}'..='\u{1160}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{ffa0}'
            | '\u{13441}'..='\u{13442}'
            | '\u{1d159}'
    );
    is_for_others || is_blank
}

#[cfg(test)]
mod tests;
