//! The headers by which a client controls a command: `If-Match` and `Idempotency-Key`. Both are optional
//! on every route, and a malformed one is refused.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use super::Problem;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_KEY_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// The stream version that the client has seen, as in `If-Match: "7"`. `*` and a missing header accept
/// any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<u64>);

/// The key by which a command that is sent again acts once: a UUID, or 16 to 64 characters of
/// `A–Z a–z 0–9 _ -`, with or without double quotes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

/// The response header with a stream's version, in the form that `If-Match` takes.
#[must_use]
pub fn etag(version: u64) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(format!("\"{version}\""));
    (ETAG, value.unwrap_or(HeaderValue::from_static("\"0\"")))
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            return Ok(Self(None));
        };
        let version = match value.to_str() {
            Ok("*") => return Ok(Self(None)),
            Ok(text) => unquoted(text)
                .filter(|tag| is_number(tag))
                .and_then(|tag| tag.parse().ok()),
            Err(_) => None,
        };
        let detail = r#"If-Match must be one version as an ETag gave it, such as "7"."#;
        version
            .map(|v| Self(Some(v)))
            .ok_or_else(|| Problem::bad_request("invalid_if_match", detail))
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(Self(None));
        };
        let key = value
            .to_str()
            .ok()
            .map(|text| unquoted(text).unwrap_or(text))
            .filter(|key| {
                IDEMPOTENCY_KEY_LENGTHS.contains(&key.len())
                    && key
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            });
        let detail = "Idempotency-Key must be a UUID, or 16 to 64 letters, digits, '_' and '-'.";
        key.map(|key| Self(Some(key.to_owned())))
            .ok_or_else(|| Problem::bad_request("invalid_idempotency_key", detail))
    }
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// `parse` alone would also accept a leading `+`.
fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}
