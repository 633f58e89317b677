//! Characters that nobody sees. Some scripts and emoji need some of them, each at certain places.

use icu_properties::props::{
    BidiClass, Emoji, ExtendedPictographic, JoiningType, UnifiedIdeograph,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::char::canonical_combining_class;

use super::TextError;

/// Keeps letters apart that would be joined, and lets a sign of a vowel be seen as such.
const NON_JOINER: char = '\u{200c}';
/// Joins letters, and emoji to one.
const JOINER: char = '\u{200d}';
/// What follows a digit with the selector of emoji, to make it a key.
const KEYCAP: char = '\u{20e3}';
/// The combining class of signs that take a letter's vowel away.
const VIRAMA: u8 = 9;
/// The one emoji that tags may follow: they make it the flag of a part of a country (UTS #51, annex C).
const BLACK_FLAG: char = '\u{1f3f4}';

/// Refuses characters that nobody sees where nothing needs them, for texts by which people tell things apart: `An\u{200b}na` would
/// look like `Anna`, and a search for one would not find the other.
pub(in super::super) fn check_seen(text: &str) -> Result<(), TextError> {
    let characters: Vec<char> = text.chars().collect();
    for (index, &character) in characters.iter().enumerate() {
        let before = &characters[..index];
        let after = &characters[index + 1..];
        if !is_seen_or_needed(before, character, after) {
            return Err(TextError::Unseen(character.into()));
        }
    }
    Ok(())
}

fn is_seen_or_needed(before: &[char], character: char, after: &[char]) -> bool {
    let last = before.last().copied().unwrap_or_default();
    match character {
        NON_JOINER => follows_virama(last) || keeps_apart(before, after),
        JOINER => follows_virama(last) || joins_emoji(before, after),
        // A digit without its key would look as it does without the selector.
        '\u{fe0e}'..='\u{fe0f}' if last.is_ascii() => after.first() == Some(&KEYCAP),
        '\u{fe0e}'..='\u{fe0f}' => CodePointSetData::new::<Emoji>().contains(last),
        // The forms of an ideograph, and those of letters of Myanmar and Phags-pa (StandardizedVariants.txt).
        '\u{fe00}'..='\u{fe0d}' => {
            is_ideograph(last) || matches!(last, '\u{1000}'..='\u{109f}' | '\u{a840}'..='\u{a877}')
        }
        '\u{e0100}'..='\u{e01ef}' => is_ideograph(last),
        // The forms of letters of Mongolian, and the separator of its vowels.
        '\u{180b}'..='\u{180f}' => matches!(last, '\u{1800}'..='\u{18af}'),
        '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            before.iter().chain(after).copied().any(is_right_to_left)
        }
        _ if is_tag(character) => is_tagged(before),
        _ => !is_never_needed(character),
    }
}

fn follows_virama(last: char) -> bool {
    canonical_combining_class(last) == VIRAMA
}

/// Whether the letters on both sides would be joined (RFC 5892, appendix A.1).
fn keeps_apart(before: &[char], after: &[char]) -> bool {
    let joining = CodePointMapData::<JoiningType>::new();
    let joining = |character: &char| joining.get(*character);
    let is_letter = |it: &JoiningType| *it != JoiningType::Transparent;
    let first = before.iter().rev().map(joining).find(is_letter);
    let second = after.iter().map(joining).find(is_letter);
    matches!(
        first,
        Some(JoiningType::LeftJoining | JoiningType::DualJoining)
    ) && matches!(
        second,
        Some(JoiningType::RightJoining | JoiningType::DualJoining)
    )
}

/// Whether there is an emoji on both sides (UTS #51, section 1.4.9).
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let is_emoji = |it: &char| CodePointSetData::new::<ExtendedPictographic>().contains(*it);
    let is_of_one = |it: &&char| matches!(it, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    let first = before.iter().rev().find(|it| !is_of_one(it));
    first.is_some_and(is_emoji) && after.first().is_some_and(is_emoji)
}

fn is_ideograph(character: char) -> bool {
    CodePointSetData::new::<UnifiedIdeograph>().contains(character)
}

fn is_right_to_left(character: char) -> bool {
    let class = CodePointMapData::<BidiClass>::new().get(character);
    // The marks are of these classes themselves.
    let is_mark = matches!(character, '\u{200f}' | '\u{61c}');
    !is_mark && matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter)
}

const fn is_tag(character: char) -> bool {
    matches!(character, '\u{e0020}'..='\u{e007f}')
}

/// Whether the emoji that tags may follow stands before, with nothing but tags since.
fn is_tagged(before: &[char]) -> bool {
    let last = before.iter().rev().find(|it| !is_tag(**it));
    last == Some(&BLACK_FLAG)
}

/// Whether the character is one that programs do not show (`Default_Ignorable_Code_Point`), which RFC 8264, section 9.13,
/// keeps out of texts, and that nothing needs anywhere. The fillers of Hangul are not needed: Korean is written without them.
const fn is_never_needed(character: char) -> bool {
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
