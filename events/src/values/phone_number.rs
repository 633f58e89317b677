//! Telephone numbers.

use serde::Deserialize;

/// The most digits that a number has, those of the country included (E.164, section 6.1).
const DIGITS_MAX: usize = 15;
/// No shorter number reaches a telephone from abroad.
const DIGITS_MIN: usize = 7;

/// A telephone number as E.164 has it: `+`, the code of the country and the rest, without anything in between. Events hold it
/// sealed, so it is no [`Value`](super::Value) of theirs. Whether somebody has the number is found by sending a code there.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PhoneNumber(String);

/// Why a text is not a [`PhoneNumber`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// The text is not `+` and digits, or the first of these is 0, with which no code of a country begins.
    #[error("must be + and digits, the code of the country first, such as +4915123456789")]
    Malformed,
    /// The text has too few digits, or too many.
    #[error("must have {DIGITS_MIN} to {DIGITS_MAX} digits")]
    Length,
}

impl PhoneNumber {
    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it begins like one of these, such as with the code of a country.
    #[must_use]
    pub fn begins_with_any(&self, prefixes: &[String]) -> bool {
        prefixes
            .iter()
            .any(|prefix| self.0.starts_with(prefix.as_str()))
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = PhoneError;

    fn try_from(text: String) -> Result<Self, PhoneError> {
        let digits = text.strip_prefix('+').ok_or(PhoneError::Malformed)?;
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits || digits.starts_with('0') {
            Err(PhoneError::Malformed)
        } else if (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
            Ok(Self(text))
        } else {
            Err(PhoneError::Length)
        }
    }
}

/// It is personal, so it is not shown.
impl std::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PhoneNumber")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PhoneNumber, PhoneError> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_number_is_a_plus_and_digits_that_begin_with_the_code_of_a_country() {
        for good in [
            "+4915123456789",
            "+12025550123",
            "+2901234",
            "+123456789012345",
        ] {
            assert_eq!(parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "+",
            "015123456789",
            "004915123456789",
            "+049151234567",
            "+49 151 2345678",
            "+49-151-2345678",
            "+49151234567\n",
            "+4915123456x",
            "\u{ff0b}4915123456789",
            "+\u{664}\u{669}15123456789",
            "+4915123456789;ext=1",
            "++4915123456789",
        ] {
            let parsed = parse(bad);
            let is_refused = matches!(parsed, Err(PhoneError::Malformed | PhoneError::Length));
            assert!(is_refused, "{bad:?}");
        }
        assert_eq!(parse("+123456"), Err(PhoneError::Length));
        assert_eq!(parse("+1234567890123456"), Err(PhoneError::Length));
    }

    #[test]
    fn countries_are_told_by_how_a_number_begins() {
        let number = parse("+4915123456789").unwrap();
        let list = |prefixes: &[&str]| prefixes.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(number.begins_with_any(&list(&["+1", "+49"])));
        assert!(number.begins_with_any(&list(&["+"])));
        assert!(!number.begins_with_any(&list(&["+1", "+43"])));
        assert!(!number.begins_with_any(&[]));
    }

    #[test]
    fn a_number_is_not_shown() {
        let number = parse("+4915123456789").unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber");
    }
}
