//! How easily a new password is guessed.

use std::cmp::Reverse;
use std::panic::catch_unwind;

use zxcvbn::feedback::Feedback;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, Match, Score, zxcvbn};

/// How many characters of a password are used to estimate how easily it is guessed, which is enough to find
/// it hard to guess. The time of the estimate grows with the square of their number, and with the ways to
/// read them: at worst it is 70 ms for 20 characters, as long as a hash takes, and 0.6 s for 64. The
/// estimate multiplies by the factorial of the number of patterns, which overflows above 20.
const ESTIMATED_CHARS: usize = 20;

/// What is shorter than this may stand in a password by chance.
const KNOWN_CHARS_MIN: usize = 4;

const KNOWN: &str = "It contains your name, your address or the name of this service.";

/// Why a normalised password is easily guessed; `None` if it is not. `context` is what others know of its owner.
pub(super) fn weakness(password: &str, context: &[String]) -> Option<String> {
    if is_made_of(password, context) {
        return Some(KNOWN.to_owned());
    }
    let context: Vec<_> = context.iter().map(|it| head(it)).collect();
    let context: Vec<_> = context.iter().map(String::as_str).collect();
    weakness_of(estimate(&head(password), &context), &context)
}

/// Whether most of a password is what others know, in whole or in words, forwards or backwards, in whatever case and
/// however it is divided. The estimate compares the heads alone, so it finds nothing long that is moved or turned round.
fn is_made_of(password: &str, context: &[String]) -> bool {
    let words = context
        .iter()
        .flat_map(|known| known.split(|it: char| !it.is_alphanumeric()));
    let known = context.iter().map(String::as_str).chain(words).map(letters);
    let mut known: Vec<_> = known
        .filter(|it| it.chars().count() >= KNOWN_CHARS_MIN)
        .flat_map(|it| [it.chars().rev().collect(), it])
        .collect();
    // A word may be part of a longer one.
    known.sort_by_key(|it| Reverse(it.len()));
    let all = letters(password);
    // What stands around what is taken out must not become a word.
    let rest = known
        .iter()
        .fold(all.clone(), |rest, known| rest.replace(known, " "));
    let left = rest.chars().filter(|it| *it != ' ').count();
    2 * (all.chars().count() - left) > password.chars().count()
}

/// The letters and digits of a text, in lower case.
fn letters(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .filter(|it| it.is_alphanumeric())
        .collect()
}

/// The part of a text by which it is estimated how easily a password is guessed.
fn head(text: &str) -> String {
    text.chars().take(ESTIMATED_CHARS).collect()
}

/// Estimates how easily a password is guessed; `None` if that fails. The estimate overflows, and so panics,
/// on some long passwords of many short patterns.
fn estimate(password: &str, context: &[&str]) -> Option<Entropy> {
    let estimate = catch_unwind(|| zxcvbn(password, context));
    estimate
        .inspect_err(|_| tracing::warn!("how easily a new password is guessed cannot be estimated"))
        .ok()
}

/// A password without an estimate counts as easily guessed. NIST requires that a new password is compared
/// with those that are commonly used or expected, which this one was not, and its owner can choose another.
fn weakness_of(estimate: Option<Entropy>, context: &[&str]) -> Option<String> {
    let Some(estimate) = estimate else {
        return Some("It cannot be measured.".to_owned());
    };
    if estimate.score() >= Score::Three {
        return None;
    }
    if names(estimate.sequence(), context) {
        return Some(KNOWN.to_owned());
    }
    let warning = estimate.feedback().and_then(Feedback::warning);
    Some(warning.map_or_else(|| "It is a common pattern.".to_owned(), |w| w.to_string()))
}

/// Whether one of the parts of a password, which may be repeated, is among what others know of its owner.
fn names(parts: &[Match], context: &[&str]) -> bool {
    parts.iter().any(|part| {
        if let MatchPattern::Repeat(repeat) = &part.pattern {
            return names(&repeat.base_matches, context);
        }
        let MatchPattern::Dictionary(word) = &part.pattern else {
            return false;
        };
        let mut known = context.iter().map(|it| it.to_lowercase());
        known.any(|it| it == word.matched_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_cannot_be_measured_counts_as_easily_guessed() {
        let reason = weakness_of(estimate(&"20201010".repeat(8), &[]), &[]);
        assert_eq!(reason.as_deref(), Some("It cannot be measured."));
    }

    #[test]
    fn a_password_of_ones_own_name_is_told_so() {
        let context = ["Ada Lovelace", "tidemark"].map(str::to_owned);
        for password in ["Ada Lovelace", "tidemarktidemark", "ada tide mark 1"] {
            assert_eq!(
                weakness(password, &context).as_deref(),
                Some(KNOWN),
                "{password}"
            );
        }
        let common = weakness("passwordpassword", &context).unwrap();
        assert_ne!(common, KNOWN);
    }

    #[test]
    fn a_password_made_of_what_others_know_is_easily_guessed() {
        let local_part = "marvin.android-the-thirdxqzkvw";
        let context = [
            local_part,
            "Zaphod Beeblebrox",
            "\u{c5}sa \u{d6}berg-Lindqvist",
            "bob",
        ];
        let context = context.map(str::to_owned);
        let turned: String = local_part.chars().rev().collect();
        for weak in [
            &format!("!{local_part}"),
            &turned,
            &format!("{local_part}{local_part}"),
            "Marvin Android the Third xqzkvw 7!",
            "zaphodbeeblebrox1",
            "1-zaphod-beeblebrox",
            "xorbelbeebdohpaz",
            "Beeblebrox,Zaphod!",
            "zaphod marvin android",
            "\u{e5}sa\u{f6}berglindqvist",
        ] {
            assert!(weakness(weak, &context).is_some(), "{weak}");
        }
        for strong in [
            "zaphodbeeblebrox and nineteen lamps on a quay",
            "bob rows past eleven quiet gulls",
            "nineteen lamps on a quay",
        ] {
            assert_eq!(weakness(strong, &context), None, "{strong}");
        }
    }
}
