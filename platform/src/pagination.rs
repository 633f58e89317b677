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
