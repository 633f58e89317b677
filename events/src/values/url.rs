//! Addresses of what is on the web.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use super::Value;

/// The absolute address of something on the web, of the scheme `http` or `https` and of at most so many characters.
///
/// It is kept as the URL Standard writes it, so that all programs take it for the same address. It is refused if only
/// some of them read it, and if it names a user or a password: that would be a secret, or hide which host it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url<const CHARS_MAX: usize>(String);

/// Why a text is not a [`Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is no absolute address, or one of another scheme.
    #[error("must be an absolute URL that begins with http:// or https://")]
    NotOfWeb,
    /// The host is a name that no server can have.
    #[error("must name a host whose parts between dots have 1 to 63 characters")]
    Host,
    /// The address has the character U+0000, at which some programs end a text.
    #[error("must not have the character %00")]
    Nul,
    /// The address names a user or a password.
    #[error("must not name a user or a password")]
    Credentials,
    /// The address has too many characters once it is written as the standard has it.
    #[error("must have at most {0} characters, written in ASCII")]
    TooLong(usize),
}

impl<const CHARS_MAX: usize> Url<CHARS_MAX> {
    /// The address as text, all of it ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const CHARS_MAX: usize> TryFrom<String> for Url<CHARS_MAX> {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        if !is_written_out(&text) {
            return Err(UrlError::NotOfWeb);
        }
        let url = url::Url::parse(&text).map_err(|_| UrlError::NotOfWeb)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if !url.domain().is_none_or(is_name) {
            return Err(UrlError::Host);
        }
        let text = String::from(url);
        if text.contains("%00") {
            return Err(UrlError::Nul);
        }
        if text.len() > CHARS_MAX {
            return Err(UrlError::TooLong(CHARS_MAX));
        }
        Ok(Self(text))
    }
}

/// Whether a server can have this name (RFC 1035, section 2.3.4). The URL Standard takes others. A dot may end it.
fn is_name(domain: &str) -> bool {
    let name = domain.strip_suffix('.').unwrap_or(domain);
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// Whether the text is an address of the web without what the standard would repair: other slashes than two, and
/// characters that it leaves out or replaces.
fn is_written_out(text: &str) -> bool {
    let is_repaired = |it: char| it.is_whitespace() || it.is_control() || it == '\\';
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let is_of_web = ["http", "https"]
        .iter()
        .any(|it| scheme.eq_ignore_ascii_case(it));
    is_of_web && !rest.starts_with('/') && !text.contains(is_repaired)
}

impl<const CHARS_MAX: usize> From<Url<CHARS_MAX>> for String {
    fn from(url: Url<CHARS_MAX>) -> Self {
        url.0
    }
}

impl<const CHARS_MAX: usize> PartialSchema for Url<CHARS_MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .description(Some(
                "An absolute URL with `http` or `https`, and without a user or a password. Its length counts as it is written in ASCII.",
            ))
            .format(Some(SchemaFormat::Custom("uri".to_owned())))
            .max_length(Some(CHARS_MAX))
            .examples(["https://images.example/sextant.jpg"])
            .into()
    }
}

impl<const CHARS_MAX: usize> ToSchema for Url<CHARS_MAX> {
    fn name() -> Cow<'static, str> {
        "Url".into()
    }
}

impl<const CHARS_MAX: usize> Value for Url<CHARS_MAX> {
    type Plain = String;
}

#[cfg(test)]
mod tests {
    use super::super::Stored;
    use super::*;

    fn parse(text: &str) -> Result<String, UrlError> {
        Url::<40>::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn addresses_are_kept_as_the_standard_writes_them() {
        for (text, kept) in [
            ("https://a.example/1.jpg", "https://a.example/1.jpg"),
            ("HTTP://A.Example:80", "http://a.example/"),
            (
                "https://a.example/x/../1.jpg?b=c#d",
                "https://a.example/1.jpg?b=c#d",
            ),
            (
                "https://b\u{fc}cher.example/\u{e9}",
                "https://xn--bcher-kva.example/%C3%A9",
            ),
            ("https://a.example/\u{202e}", "https://a.example/%E2%80%AE"),
            ("https://192.0.2.1:8443/", "https://192.0.2.1:8443/"),
            ("http://[2001:db8::1]/", "http://[2001:db8::1]/"),
            ("https://a.example./", "https://a.example./"),
            ("https://a.example/%2500", "https://a.example/%2500"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(kept), "{text}");
            assert_eq!(parse(kept).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn what_is_no_address_of_the_web_is_refused() {
        for text in [
            "",
            "clock.jpg",
            "/clock.jpg",
            "//a.example/clock.jpg",
            "a.example/clock.jpg",
            "https:a.example",
            "https:/a.example",
            "https:///a.example",
            "https://",
            "https://?b",
            "https://a.example:99999/",
            "https://a b.example/",
            "https://%00.example/",
            "https://\u{202e}.example/",
            "https:\\\\a.example",
            "https://a.example\\@b.example",
            " https://a.example/",
            "https://a.example/\n",
            "ht\ntps://a.example/",
            "https://a.example/\0",
            "javascript:alert(1)",
            "javascript://a.example/%0aalert(1)",
            "data:image/png;base64,AAAA",
            "file:///etc/passwd",
            "ftp://a.example/clock.jpg",
        ] {
            assert_eq!(parse(text), Err(UrlError::NotOfWeb), "{text:?}");
        }
    }

    #[test]
    fn hosts_that_no_server_can_have_and_nul_are_refused() {
        let long = format!("https://{}.example/", "a".repeat(64));
        for text in [
            "https://x..example/",
            "https://.example/",
            "https://x.example../",
            "https://./",
            &long,
        ] {
            assert_eq!(parse(text), Err(UrlError::Host), "{text}");
        }
        for text in [
            "https://a.example/%00",
            "https://a.example/a?b=%00#c",
            "https://a.example/#%00",
        ] {
            assert_eq!(parse(text), Err(UrlError::Nul), "{text}");
        }
    }

    #[test]
    fn an_address_has_no_secrets_and_is_short() {
        for text in [
            "https://ada@a.example/",
            "https://ada:secret@a.example/",
            "https://:b@a.example/",
        ] {
            assert_eq!(parse(text), Err(UrlError::Credentials), "{text}");
        }
        let long = |chars: usize| format!("https://a.example/{}", "a".repeat(chars - 18));
        assert_eq!(parse(&long(40)), Ok(long(40)));
        assert_eq!(parse(&long(41)), Err(UrlError::TooLong(40)));
        // Three characters for each byte.
        let written = format!("https://a.example/{}", "\u{e9}".repeat(4));
        assert_eq!(parse(&written), Err(UrlError::TooLong(40)));
    }

    #[test]
    fn what_was_stored_stays_readable() {
        for text in ["clock.jpg", "", "javascript:alert(1)"] {
            let json = serde_json::json!(text);
            let stored: Stored<Url<40>> = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&stored).unwrap(), json);
        }
    }
}
