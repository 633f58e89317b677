//! Which characters texts may have, and how they may begin.

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
        "C++\u{200e} \u{5e1}\u{5e4}\u{5e8}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{2764}\u{fe0f}",
        "1\u{fe0f}\u{20e3}",
        "\u{1fae8}",
        "a\u{e000}",
        "\u{915}\u{94d}\u{937}",
        "\u{915}\u{94d}\u{200d}\u{937}",
        "\u{915}\u{94d}\u{200c}\u{937}",
        "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
        "\u{1f468}\u{1f3fd}\u{200d}\u{1f52c}",
        "\u{1000}\u{fe00}",
        "\u{1820}\u{180b}\u{180e}\u{1820}",
        "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        "\u{845b}\u{e0100}",
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
fn blanks_at_the_ends_of_a_line_are_cut_off() {
    for given in [
        " Anna",
        "Anna ",
        "\u{a0}Anna\u{2003}",
        "\u{3000} Anna \u{3000}",
    ] {
        assert_eq!(line(given), Ok("Anna".to_owned()), "{given:?}");
    }
    assert_eq!(line("Anna  B."), Ok("Anna  B.".to_owned()));
    assert_eq!(line("Anna\n"), Err(TextError::LineBreak));
    let too_wide = format!("Anna{}", " ".repeat(10_000));
    assert_eq!(line(&too_wide), Ok("Anna".to_owned()));
}

/// At these places a text looks as it does without them.
#[test]
fn what_some_scripts_need_is_refused_where_it_is_not_seen() {
    for (given, unseen) in [
        ("Za\u{200d}bra", 0x200d),
        ("Anna\u{200d}", 0x200d),
        ("Ann\u{200c}a", 0x200c),
        ("\u{200c}a", 0x200c),
        ("\u{645}\u{6cc}\u{200c}", 0x200c),
        ("\u{627}\u{200c}\u{628}", 0x200c),
        ("\u{1f469}\u{200d}a", 0x200d),
        ("a\u{fe0f}", 0xfe0f),
        ("1\u{fe0f}", 0xfe0f),
        ("a\u{fe00}", 0xfe00),
        ("a\u{e0100}", 0xe0100),
        ("a\u{180b}", 0x180b),
        ("Anna\u{200e}", 0x200e),
        ("A\u{200f}B", 0x200f),
    ] {
        assert_eq!(line(given), Err(TextError::Unseen(unseen)), "{given:?}");
        assert_eq!(text(given).as_deref(), Ok(given));
    }
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
fn no_text_joins_what_is_printed_before_it() {
    for joining in [
        '\u{301}',
        '\u{903}',
        '\u{20dd}',
        '\u{20e3}',
        '\u{fe0f}',
        '\u{200d}',
        '\u{1f3fd}',
    ] {
        let refused = Err(TextError::Joins(joining.into()));
        for start in ["", "\u{200e}", "\u{61c}\u{200c}"] {
            let given = format!("{start}{joining}Vase");
            assert_eq!(line(&given), refused, "{given:?}");
            assert_eq!(text(&given), refused, "{given:?}");
            let (below, after) = (format!("a\n{given}"), format!("V{joining}ase"));
            assert_eq!(Text::<20>::try_from(below).map(String::from), refused);
            assert!(text(&after).is_ok(), "{after:?}");
        }
    }
    // On a blank, a mark is shown by itself; a line begins with none. What holds words together may begin one.
    assert_eq!(line(" \u{301}a"), Err(TextError::Joins(0x301)));
    assert_eq!(
        line("\u{1f44b}\u{1f3fd}").as_deref(),
        Ok("\u{1f44b}\u{1f3fd}")
    );
    for allowed in [" \u{301}a", "\u{200c}a", " . "] {
        assert_eq!(text(allowed).as_deref(), Ok(allowed));
    }
}

#[test]
fn lengths_are_counted_in_characters() {
    assert!(line(&"\u{1f600}".repeat(10)).is_ok());
    assert_eq!(line(&"a".repeat(11)), Err(TextError::TooLong(10)));
    assert_eq!(text(&"a".repeat(11)), Err(TextError::TooLong(10)));
}
