//! The headers by which a client controls a command: `If-Match` and `Idempotency-Key`. Both are optional
//! on every route, and a malformed one is refused. The names of others that this crate and an API have in common stand here too.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::Problem;
use super::entity_tags::{EntityTag, EntityTags};

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that marks an answer which was built from an idempotency record.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The header in which operators name the address whose messages they look for.
pub const EMAIL_ADDRESS: HeaderName = HeaderName::from_static("email-address");
/// The telephone number by which operators look for texts.
pub const PHONE_NUMBER: HeaderName = HeaderName::from_static("phone-number");
/// The header in which a service names the event that its command answers.
pub const CAUSATION_ID: HeaderName = HeaderName::from_static("x-causation-id");
/// The header in which the projector names the reactor whose command it sends.
pub const REACTOR: HeaderName = HeaderName::from_static("x-reactor");
const IDEMPOTENCY_KEY_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// The stream versions that the client accepts, as in `If-Match: "7"` or `If-Match: "7", "8"`. `*` and a
/// missing header accept any version, and a tag that is none of ours is that of no version. The tag of a document counts, which
/// holds a hash behind the version, and a weak one, which it has if it was compressed: a command is about the version and not
/// about the bytes that were sent, for which RFC 9110, section 13.1.1, wants a strong one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<Vec<u64>>);

/// The key by which a command that is sent again acts once: a UUID, or 16 to 64 characters of
/// `A–Z a–z 0–9 _ -`, with or without double quotes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

/// The response header of a command with a stream's version, in the form that `If-Match` takes.
#[must_use]
pub fn etag(version: u64) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(format!("\"{version}\""));
    (ETAG, value.unwrap_or(HeaderValue::from_static("\"0\"")))
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(match if_match(&parts.headers)? {
            Some(EntityTags::Listed(tags)) => Some(tags.iter().filter_map(version).collect()),
            Some(EntityTags::Any) | None => None,
        }))
    }
}

/// The tags in `If-Match`; `None` if there is no such header.
///
/// # Errors
/// 400 if it is malformed.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<EntityTags>, Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(None);
    }
    let tags = EntityTags::of(headers, &IF_MATCH).map(Some);
    tags.ok_or_else(|| {
        let detail =
            r#"If-Match must be `*` or a list of versions as an ETag gave them, such as "7"."#;
        Problem::bad_request("invalid_if_match", detail)
    })
}

/// The version that this is the tag of. Two tags are equal only if each character is.
fn version(tag: &EntityTag) -> Option<u64> {
    let opaque = str::from_utf8(&tag.opaque).ok()?;
    let digits = opaque.split_once('.').map_or(opaque, |(digits, _)| digits);
    let version = digits.parse::<u64>().ok()?;
    (version.to_string() == digits).then_some(version)
}

impl IdempotencyKey {
    /// The problem with a key of another form.
    #[must_use]
    pub fn malformed() -> Problem {
        let detail = "Idempotency-Key must be a UUID, or 16 to 64 letters, digits, '_' and '-'.";
        Problem::bad_request("invalid_idempotency_key", detail).explained(
            "Idempotency-Key does not have the form of a key.",
            "Send a UUID.",
        )
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
        key.map(|key| Self(Some(key.to_owned())))
            .ok_or_else(Self::malformed)
    }
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::document_tag;

    fn version_of(tag: &HeaderValue) -> Option<u64> {
        let headers = HeaderMap::from_iter([(IF_MATCH, tag.clone())]);
        match if_match(&headers).unwrap() {
            Some(EntityTags::Listed(tags)) => version(&tags[0]),
            Some(EntityTags::Any) | None => None,
        }
    }

    #[test]
    fn a_document_that_shows_something_else_at_the_same_version_has_another_tag() {
        let (_, named) = document_tag(7, br#"{"name":"Ada","version":7}"#);
        let (_, erased) = document_tag(7, br#"{"name":null,"version":7}"#);
        assert_ne!(named, erased);
        let (_, answered) = etag(7);
        for tag in [named, erased, answered] {
            assert_eq!(version_of(&tag), Some(7), "{tag:?}");
        }
    }

    #[test]
    fn what_is_no_tag_of_ours_is_of_no_version() {
        for tag in ["\"07\"", "\"07.a\"", "\".7\"", "\"a.7\"", "\"+7\"", "\"\""] {
            assert_eq!(version_of(&HeaderValue::from_static(tag)), None, "{tag}");
        }
    }
}
