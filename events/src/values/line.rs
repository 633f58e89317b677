//! One line of text that people write and read.

use serde::Deserialize;

use super::Value;
use super::characters::{TextError, check_seen, is_blank, normalised};

/// One line of text of at most so many characters, in Unicode's form NFC.
///
/// It has something to see, and no character that ends a line, controls a device, turns the direction of
/// what follows it, or is there without being seen. It does not begin with one that joins what is printed before it.
/// Blanks at its ends, which nobody sees, are cut off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Line<const CHARS_MAX: usize>(String);

impl<const CHARS_MAX: usize> Line<CHARS_MAX> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const CHARS_MAX: usize> TryFrom<String> for Line<CHARS_MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::NothingToSee);
        }
        if text.contains(['\n', '\r', '\t']) {
            return Err(TextError::LineBreak);
        }
        let text = normalised(text.trim_matches(is_blank), CHARS_MAX)?;
        check_seen(&text)?;
        Ok(Self(text))
    }
}

impl<const CHARS_MAX: usize> From<Line<CHARS_MAX>> for String {
    fn from(line: Line<CHARS_MAX>) -> Self {
        line.0
    }
}

impl<const CHARS_MAX: usize> Value for Line<CHARS_MAX> {
    type Plain = String;
}
