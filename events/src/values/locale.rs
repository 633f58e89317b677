//! Languages that people read.

use serde::Deserialize;

use super::Value;

/// A language, with or without the country where it is spoken so: `en`, `de`, `pt-BR` (BCP 47).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Locale(String);

/// Why a text is not a [`Locale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a language, such as `en` or `pt-BR`")]
pub struct LocaleError;

impl Locale {
    /// The locale as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Locale {
    type Error = LocaleError;

    fn try_from(text: String) -> Result<Self, LocaleError> {
        let (language, country) = match text.split_once('-') {
            Some((language, country)) => (language, Some(country)),
            None => (&*text, None),
        };
        let is_language =
            (2..=3).contains(&language.len()) && language.bytes().all(|it| it.is_ascii_lowercase());
        let is_country = |it: &str| it.len() == 2 && it.bytes().all(|it| it.is_ascii_uppercase());
        if is_language && country.is_none_or(is_country) {
            Ok(Self(text))
        } else {
            Err(LocaleError)
        }
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

impl Value for Locale {
    type Plain = String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_a_language_with_or_without_a_country() {
        let is_locale = |text: &str| Locale::try_from(text.to_owned()).is_ok();
        assert!(["en", "de", "gsw", "pt-BR"].into_iter().all(is_locale));
        let wrong = [
            "", "e", "EN", "engl", "en-", "en-us", "en_US", "en-USA", "-US", "en-US-x",
        ];
        for text in wrong {
            assert!(!is_locale(text), "{text}");
        }
    }
}
