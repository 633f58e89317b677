//! The header `Tidemark`. A response tells by it which position of the log it reflects; a query asks by it for
//! an answer that reflects at least that position. Its value is opaque to clients.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};

use crate::http::Problem;

/// The name of the header, in requests and responses.
pub const HEADER: HeaderName = HeaderName::from_static("tidemark");

/// The name of the header of an answer that lacks the event at its position and later ones, because that event could not
/// be applied.
pub const PARKED: HeaderName = HeaderName::from_static("tidemark-parked");

/// A position in the log of a timeline, written `1.42`. As a part of a response it sets the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The number of the timeline; the first is 1.
    pub timeline: i32,
    /// The position; 0 is before the first event.
    pub position: i64,
}

/// The text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Tidemark must be sent exactly as an answer gave it")]
pub struct Malformed;

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.timeline, self.position)
    }
}

impl FromStr for Token {
    type Err = Malformed;

    /// Accepts only what `Display` writes, so that each token has one form.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (timeline, position) = text.split_once('.').ok_or(Malformed)?;
        let token = Self {
            timeline: timeline.parse().map_err(|_| Malformed)?,
            position: position.parse().map_err(|_| Malformed)?,
        };
        let is_canonical = token.timeline >= 1 && token.position >= 0 && token.to_string() == text;
        if is_canonical {
            Ok(token)
        } else {
            Err(Malformed)
        }
    }
}

impl IntoResponseParts for Token {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            parts.headers_mut().insert(HEADER, value);
        }
        Ok(parts)
    }
}

/// The token of a request, if it carries one. The extractor answers 400 to a malformed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tidemark(pub Option<Token>);

impl<S: Sync> FromRequestParts<S> for Tidemark {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else {
            return Ok(Self(None));
        };
        let token = value.to_str().map_err(|_| Malformed).and_then(str::parse);
        token
            .map(|token| Self(Some(token)))
            .map_err(|_| malformed())
    }
}

/// The header of a request is no token.
#[must_use]
pub fn malformed() -> Problem {
    Problem::bad_request("invalid_tidemark", Malformed.to_string()).explained(
        "The header `Tidemark` is not what an answer gave.",
        "Send the header of an answer as it is, or none.",
    )
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Token};

    #[test]
    fn a_token_is_read_as_it_is_written() {
        let token = Token {
            timeline: 1,
            position: 42,
        };
        assert_eq!(token.to_string(), "1.42");
        assert_eq!("1.42".parse(), Ok(token));
    }

    #[test]
    fn anything_else_is_no_token() {
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "0.1",
            "1.-1",
            "+1.2",
            "1.+2",
            "01.2",
            "1.02",
            "1.2.3",
            " 1.2",
            "1.9223372036854775808",
        ] {
            assert_eq!(text.parse::<Token>(), Err(Malformed), "{text}");
        }
    }
}
