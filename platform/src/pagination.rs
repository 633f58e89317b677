//! Pages that continue where the last one ended, however deep. What a cursor holds is the query's
//! affair; here it is only kept from being forged, or used with another query.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::config;
use crate::http::{FieldError, Problem};

/// Bytes of the signature that a cursor carries.
const TAG_BYTES: usize = 16;
/// Separates this use of the key from others.
const PURPOSE: &[u8] = b"tidemark.cursor.v1";

/// One page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// `cursor` of the next page; none if this is the last.
    pub next: Option<String>,
}

/// Writes and reads cursors.
#[derive(Clone)]
pub struct Cursors {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursors")
    }
}

impl Cursors {
    /// Cursors that all processes with this secret understand.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let mut mac = hmac(secret.expose_secret().as_bytes());
        mac.update(PURPOSE);
        Self { mac }
    }

    /// A cursor for where this page ended. `scope` names the query: its route and its filters.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn encode(&self, scope: &str, value: &impl Serialize) -> Result<String, Problem> {
        let mut bytes = serde_json::to_vec(value).map_err(Problem::internal)?;
        let tag = self.signed(scope, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Where the last page ended.
    ///
    /// # Errors
    /// 400 for a cursor that was not made here for this very query.
    pub fn decode<T: DeserializeOwned>(&self, scope: &str, cursor: &str) -> Result<T, Problem> {
        let value = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (value, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
            self.signed(scope, value).verify_truncated_left(tag).ok()?;
            serde_json::from_slice(value).ok()
        };
        let detail = "The cursor is not one that this query gave out.";
        value().ok_or_else(|| Problem::bad_request("invalid_cursor", detail))
    }

    fn signed(&self, scope: &str, value: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        // The length keeps scope and value apart.
        mac.update(&(scope.len() as u64).to_be_bytes());
        mac.update(scope.as_bytes());
        mac.update(value);
        mac
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length; the all-zero key is what an empty one is padded to.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Array::default()))
}

/// The number of items that a query gives.
///
/// # Errors
/// 422 if the client asks for none or too many.
pub fn limit(asked: Option<i64>, query: &config::Query) -> Result<i64, Problem> {
    match asked {
        None => Ok(query.page_default),
        Some(limit) if (1..=query.page_max).contains(&limit) => Ok(limit),
        Some(_) => {
            let detail = format!("is not from 1 to {}", query.page_max);
            Err(Problem::invalid(vec![FieldError::parameter(
                "limit", detail,
            )]))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;
    use crate::testing::{Answer, config};

    const SCOPE: &str = "/v1/auctions?state=open";

    fn cursors() -> Cursors {
        Cursors::new(&"0123456789abcdef".into())
    }

    fn cursor() -> String {
        cursors().encode(SCOPE, &("lamp", 42_u64)).unwrap()
    }

    fn assert_refused(cursors: &Cursors, scope: &str, cursor: &str) {
        let problem = cursors.decode::<(String, u64)>(scope, cursor).unwrap_err();
        let refused = (problem.status().as_u16(), problem.code());
        assert_eq!(refused, (400, "invalid_cursor"), "{scope} {cursor}");
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let read = cursors().decode::<(String, u64)>(SCOPE, &cursor());
        assert_eq!(read.unwrap(), ("lamp".to_owned(), 42));
        // It goes into a query string as it is.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(cursor().bytes().all(is_plain));
    }

    #[test]
    fn forged_cursors_are_refused() {
        let cursor = cursor();
        for at in 0..cursor.len() {
            let mut bytes = cursor.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_refused(&cursors(), SCOPE, &String::from_utf8(bytes).unwrap());
            assert_refused(&cursors(), SCOPE, &cursor[..at]);
        }
        let unsigned = URL_SAFE_NO_PAD.encode(r#"["lamp",43]"#);
        let zeros =
            URL_SAFE_NO_PAD.encode([br#"["lamp",43]"#.as_slice(), &[0; TAG_BYTES]].concat());
        for forged in [
            unsigned,
            zeros,
            format!("{cursor}A"),
            format!("{cursor}="),
            format!("{cursor}{cursor}"),
            "%".to_owned(),
            "42".to_owned(),
        ] {
            assert_refused(&cursors(), SCOPE, &forged);
        }
        assert_refused(&Cursors::new(&"another secret".into()), SCOPE, &cursor);
    }

    #[test]
    fn a_cursor_belongs_to_its_query() {
        for scope in [
            "",
            "/v1/auctions",
            "/v1/auctions?state=closed",
            "/v1/bids?state=open",
        ] {
            assert_refused(&cursors(), scope, &cursor());
        }
        // What one signs as its scope is not another's value.
        let cursor = cursors().encode("a", &1).unwrap();
        let value = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        assert_refused(&cursors(), "a1", &URL_SAFE_NO_PAD.encode(&value[1..]));
        // Nor is a value of another form what the query continues from.
        assert_refused(&cursors(), "a", &cursor);
    }

    #[tokio::test]
    async fn limits() {
        let query = config().query;
        assert_eq!(limit(None, &query).unwrap(), query.page_default);
        for good in [1, query.page_max] {
            assert_eq!(limit(Some(good), &query).unwrap(), good);
        }
        for bad in [0, -1, query.page_max + 1, i64::MIN, i64::MAX] {
            let answer = Answer::of(limit(Some(bad), &query).unwrap_err().into_response()).await;
            assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{bad}");
            assert_eq!(answer.pointers(), ["limit"]);
        }
    }
}
