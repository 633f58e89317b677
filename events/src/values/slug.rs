//! Names for use in URLs.

use serde::Deserialize;
use uuid::Uuid;

use super::Value;

/// The length of the longest slug.
const LENGTH_MAX: usize = 60;

/// A name for use in URLs: up to 60 lower-case letters, digits and single hyphens.
///
/// It never has the form of a UUID. Where a URL takes an id or a slug, it would stand for another thing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(String);

/// Why a text is not a [`Slug`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// The text has other characters, or hyphens at an end or next to each other.
    #[error("must be lower-case letters and digits, joined by single hyphens")]
    Malformed,
    /// The text has too many characters.
    #[error("must have at most {LENGTH_MAX} characters")]
    TooLong,
    /// The text can be read as a UUID.
    #[error("must not have the form of a UUID")]
    IsUuid,
}

impl Slug {
    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(text: String) -> Result<Self, SlugError> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !text.split('-').all(is_part) {
            Err(SlugError::Malformed)
        } else if text.len() > LENGTH_MAX {
            Err(SlugError::TooLong)
        } else if Uuid::try_parse(&text).is_ok() {
            Err(SlugError::IsUuid)
        } else {
            Ok(Self(text))
        }
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl Value for Slug {
    type Plain = String;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Slug, SlugError> {
        text.to_owned().try_into()
    }

    #[test]
    fn slugs_are_lower_case_words_with_hyphens() {
        for good in ["a", "7", "field-cameras", "4x5-film", &"a".repeat(60)] {
            assert_eq!(parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-", "a-", "-a", "a--b", "A", "a_b", "a b", "\u{e9}"] {
            assert_eq!(parse(bad), Err(SlugError::Malformed), "{bad}");
        }
        assert_eq!(parse(&"a".repeat(61)), Err(SlugError::TooLong));
    }

    #[test]
    fn nothing_that_reads_as_an_id_is_a_slug() {
        let id = "0199f3a0-6c00-7000-8000-00000000abcd";
        for form in [id, &id.replace('-', "")] {
            assert_eq!(parse(form), Err(SlugError::IsUuid), "{form}");
        }
    }
}
