//! Text of several lines that people write and read.

use serde::Deserialize;

use super::Value;
use super::characters::{TextError, normalised};

/// Text of at most so many characters on any number of lines, in Unicode's form NFC. It may be empty.
///
/// Lines end with a line feed, whichever way the client ended them. A text that is not empty has something
/// to see, and besides line feeds and tabs no text has a character that controls a device or turns the
/// direction of what follows it. No line begins with a character that joins what is printed before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const CHARS_MAX: usize>(String);

impl<const CHARS_MAX: usize> TryFrom<String> for Text<CHARS_MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.is_empty() {
            return Ok(Self(text));
        }
        normalised(&text.replace("\r\n", "\n"), CHARS_MAX).map(Self)
    }
}

impl<const CHARS_MAX: usize> From<Text<CHARS_MAX>> for String {
    fn from(text: Text<CHARS_MAX>) -> Self {
        text.0
    }
}

impl<const CHARS_MAX: usize> Value for Text<CHARS_MAX> {
    type Plain = String;
}
