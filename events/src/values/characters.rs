//! Which characters texts may have.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// The one emoji that tags may follow: they make it the flag of a part of a country (UTS #51, annex C).
const BLACK_FLAG: char = '\u{1f3f4}';
/// The first and the last of the characters that are tags of emoji.
const TAGS_FIRST: char = '\u{e0020}';
const TAGS_LAST: char = '\u{e007f}';

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text is empty, or has nothing but blanks, marks, and characters that show nothing.
    #[error("must have something to see")]
    NothingToSee,
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
    Ok(text)
}

/// Refuses characters that nobody sees and nothing needs, for texts by which people tell things apart: `An\u{200b}na` would
/// look like `Anna`, and a search for one would not find the other.
pub(super) fn check_seen(text: &str) -> Result<(), TextError> {
    let mut is_tagged = false;
    for character in text.chars() {
        let is_tag = matches!(character, TAGS_FIRST..=TAGS_LAST);
        if is_unseen(character) || (is_tag && !is_tagged) {
            return Err(TextError::Unseen(character.into()));
        }
        is_tagged = character == BLACK_FLAG || (is_tag && is_tagged);
    }
    Ok(())
}

/// Whether the character is one that programs do not show (`Default_Ignorable_Code_Point`), which RFC 8264, section 9.13,
/// keeps out of texts. Those that scripts or emoji need are let in: joiners, variation selectors, the marks of direction, the
/// separator of Mongolian vowels, and what joins strokes of shorthand. The fillers of Hangul are not: Korean is written without
/// them. Tags are let in where an emoji needs them.
const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        // The soft hyphen, what keeps marks in their order, and fillers.
        '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}'
            // Vowels of Khmer that are not written.
            | '\u{17b4}'..='\u{17b5}'
            // Spaces without width, and operators that are not written.
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff0}'..='\u{fff8}'
            // Beams and slurs of music.
            | '\u{1d173}'..='\u{1d17a}'
            // The tag of a language, and what is kept free around the tags and the variation selectors.
            | '\u{e0000}'..='\u{e001f}' | '\u{e0080}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
    )
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
mod tests {
    use super::super::{Line, Text};
    use super::TextError;

    fn line(text: &str) -> Result<String, TextError> {
        Line::<10>::try_from(text.to_owned()).map(String::from)
    }

    fn text(text: &str) -> Result<String, TextError> {
        Text::<10>::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn texts_are_kept_in_one_unicode_form() {
        let (decomposed, composed) = ("Cafe\u{301}", "Caf\u{e9}");
        assert_eq!(line(decomposed).unwrap(), composed);
        assert_eq!(text(decomposed).unwrap(), composed);
        // Ten characters once they are composed.
        assert_eq!(line(&"e\u{301}".repeat(10)), Ok("\u{e9}".repeat(10)));
        // U+0958 is two characters in NFC.
        assert_eq!(line(&"\u{958}".repeat(6)), Err(TextError::TooLong(10)));
    }

    #[test]
    fn scripts_of_any_direction_and_emoji_are_allowed() {
        for allowed in [
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}",
            "A\u{200f}B",
            "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{2764}\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "\u{1fae8}",
            "a\u{e000}",
            "\u{915}\u{94d}\u{937}",
            "\u{1820}\u{180b}\u{180e}\u{1820}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "\u{845b}\u{e0100}",
            " . ",
        ] {
            assert_eq!(line(allowed).as_deref(), Ok(allowed));
            assert_eq!(text(allowed).as_deref(), Ok(allowed));
        }
    }

    #[test]
    fn what_shows_nothing_is_refused() {
        for blank in [
            " ",
            "\u{a0}\u{3000}",
            "\u{200b}",
            "\u{200d}\u{2060}",
            "\u{feff}",
            "\u{ad}",
            "\u{3164}",
            "\u{2800}",
            "\u{1d159}",
            "\u{fe0f}",
            "\u{e0041}",
            "\u{301}",
            " \u{301}\u{20dd}",
            "\u{93e}",
            "\u{378}",
            "\u{e000}",
            "\u{10fffd}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{13430}",
            "\u{13441}",
        ] {
            assert_eq!(line(blank), Err(TextError::NothingToSee), "{blank:?}");
            assert_eq!(text(blank), Err(TextError::NothingToSee), "{blank:?}");
        }
        assert_eq!(line(""), Err(TextError::NothingToSee));
        assert_eq!(text("\n\t\n"), Err(TextError::NothingToSee));
        assert_eq!(text("").as_deref(), Ok(""));
    }

    #[test]
    fn control_characters_and_separators_are_refused() {
        for control in ["\0", "\u{7}", "\u{1b}", "\u{7f}", "\u{85}", "\u{9b}"] {
            let refused = Err(TextError::Control(control.chars().next().unwrap().into()));
            assert_eq!(line(&format!("a{control}b")), refused);
            assert_eq!(text(&format!("a{control}b")), refused);
        }
        for separator in ["\u{2028}", "\u{2029}"] {
            let refused = Err(TextError::Control(separator.chars().next().unwrap().into()));
            assert_eq!(line(&format!("a{separator}b")), refused);
            assert_eq!(text(&format!("a{separator}b")), refused);
        }
        assert_eq!(text("a\rb"), Err(TextError::Control(0xd)));
    }

    #[test]
    fn what_is_no_character_of_a_text_is_refused() {
        for number in [
            0xfffe,
            0xffff,
            0xfdd0,
            0xfdef,
            0x1fffe,
            0x0010_ffff,
            0x206a,
            0x206f,
            0xfff9,
            0xfffb,
        ] {
            let refused = Err(TextError::NoCharacter(number));
            let character = char::from_u32(number).unwrap();
            assert_eq!(line(&format!("a{character}b")), refused);
            assert_eq!(text(&format!("a{character}b")), refused);
        }
    }

    /// A text of many lines, by which nobody tells things apart, may say where its words are broken.
    #[test]
    fn a_line_has_nothing_that_nobody_sees() {
        for unseen in [
            '\u{ad}',
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{200b}',
            '\u{2060}',
            '\u{2064}',
            '\u{2065}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{e0000}',
            '\u{e0001}',
            '\u{e0061}',
            '\u{e007f}',
            '\u{e0080}',
            '\u{e01f0}',
            '\u{e0fff}',
        ] {
            let given = format!("An{unseen}na");
            assert_eq!(line(&given), Err(TextError::Unseen(unseen.into())));
            assert_eq!(text(&given), Ok(given));
        }
        for (given, tag) in [
            ("\u{1f600}\u{e0067}\u{e007f}", 0xe0067),
            ("\u{1f3f4}\u{e0067}\u{e007f}a\u{e0068}", 0xe0068),
        ] {
            assert_eq!(line(given), Err(TextError::Unseen(tag)));
        }
        let message = TextError::Unseen(0xad).to_string();
        assert_eq!(
            message,
            "must not have the character U+00AD, which nobody sees"
        );
    }

    #[test]
    fn characters_that_turn_the_direction_are_refused() {
        for turning in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            let refused = Err(TextError::Direction(turning.into()));
            assert_eq!(line(&format!("a{turning}b")), refused);
            assert_eq!(text(&format!("a{turning}b")), refused);
        }
    }

    #[test]
    fn only_texts_have_lines_and_tabs() {
        for several in ["a\nb", "a\r\nb", "a\rb", "a\tb", "a\n"] {
            assert_eq!(line(several), Err(TextError::LineBreak), "{several:?}");
        }
        assert_eq!(text("a\r\n\tb\n").as_deref(), Ok("a\n\tb\n"));
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(line(&"\u{1f600}".repeat(10)).is_ok());
        assert_eq!(line(&"a".repeat(11)), Err(TextError::TooLong(10)));
        assert_eq!(text(&"a".repeat(11)), Err(TextError::TooLong(10)));
    }
}
