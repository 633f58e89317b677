//! Pagination by cursors: a page continues where the last one ended, and costs the same however deep it is.
//! The query decides what its cursor holds. This module signs cursors, so that they can be neither forged nor
//! used with another query.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::config;
use crate::http::{FieldError, Problem};

/// The length of the signature in a cursor, in bytes.
const TAG_BYTES: usize = 16;
/// This text is signed with every cursor, so that a signature that the same key made for another purpose does
/// not fit a cursor.
const PURPOSE: &[u8] = b"tidemark.cursor.v1";

/// One page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The items, in the order that the client asked for: as many as it asked for or fewer, also if a page follows.
    pub items: Vec<T>,
    /// What to send for the next page: as `cursor` or, in lists of the audit trail, as `after_version` or
    /// `after_position`. Null if no page follows.
    pub next: Option<String>,
}

/// Describes the pages of one list as a schema of its own, which refers to that of the items. The description of
/// a generic type would repeat it.
#[macro_export]
macro_rules! page_schema {
    ($name:ident of $item:ty) => {
        /// One page of a list.
        #[derive(utoipa::ToSchema)]
        #[expect(dead_code, reason = "it describes `Page` and is never made")]
        pub(super) struct $name {
            /// The items, in the order that the client asked for: as many as it asked for or fewer, also if a
            /// page follows.
            items: Vec<$item>,
            /// What to send for the next page: as `cursor` or, in lists of the audit trail, as
            /// `after_version` or `after_position`. Null if no page follows.
            #[schema(required, example = json!(null))]
            next: Option<String>,
        }
    };
}

/// Signs cursors, and verifies them.
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
    /// Makes a signer whose cursors are accepted by all processes with the same secret.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let mut mac = hmac(secret.expose_secret().as_bytes());
        mac.update(PURPOSE);
        Self { mac }
    }

    /// Makes the cursor of the page that follows `value`. `scope` names the query by its route and its filters.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn encode(&self, scope: &str, value: &impl Serialize) -> Result<String, Problem> {
        let mut bytes = serde_json::to_vec(value).map_err(Problem::internal)?;
        let tag = self.signed(scope, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The value from which the cursor continues.
    ///
    /// # Errors
    /// 400 if the cursor was not made for this query with this secret.
    pub fn decode<T: DeserializeOwned>(&self, scope: &str, cursor: &str) -> Result<T, Problem> {
        let value = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (value, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
            self.signed(scope, value).verify_truncated_left(tag).ok()?;
            serde_json::from_slice(value).ok()
        };
        let detail = "The cursor does not come from a page of this list with these filters. Start again without one.";
        value().ok_or_else(|| Problem::bad_request("invalid_cursor", detail))
    }

    fn signed(&self, scope: &str, value: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        // With the length no other pair of scope and value has the same bytes.
        mac.update(&(scope.len() as u64).to_be_bytes());
        mac.update(scope.as_bytes());
        mac.update(value);
        mac
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC accepts keys of any length, so this cannot fail. The zeros are what an empty key is padded to.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Array::default()))
}

/// The number of items that a page may hold: what the client asks for, or the default.
///
/// # Errors
/// 422 if the client asks for fewer than 1 or more than `query.page_max`.
pub fn limit(asked: Option<i64>, query: &config::Query) -> Result<i64, Problem> {
    match asked {
        None => Ok(query.page_default),
        Some(limit) if (1..=query.page_max).contains(&limit) => Ok(limit),
        Some(_) => {
            let detail = format!("must be from 1 to {}", query.page_max);
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
    fn a_cursor_decodes_to_the_value_that_was_encoded() {
        let read = cursors().decode::<(String, u64)>(SCOPE, &cursor());
        assert_eq!(read.unwrap(), ("lamp".to_owned(), 42));
        // It needs no encoding in a query string.
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
        // A byte cannot move from the value to the scope.
        let cursor = cursors().encode("a", &1).unwrap();
        let value = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        assert_refused(&cursors(), "a1", &URL_SAFE_NO_PAD.encode(&value[1..]));
        // A value of another type is refused as well.
        assert_refused(&cursors(), "a", &cursor);
    }

    #[tokio::test]
    async fn a_limit_out_of_bounds_is_refused() {
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
