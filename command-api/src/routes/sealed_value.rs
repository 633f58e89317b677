//! Personal values in the bodies of commands that services send. They were sealed before, and nothing here opens them.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garde::Validate;
use serde::Deserialize;
use tidemark_events::{Sealed, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

/// The size of the tag that ends a ciphertext.
const TAG_BYTES: usize = 16;
/// The size of the largest ciphertext: no personal value of a client is as long.
const SEALED_BYTES_MAX: usize = 1_536;

/// A personal value, as an event holds it: encrypted under the key of the person it is about.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct SealedValue {
    /// The person whom the value is about.
    subject: Uuid,
    /// The version of that person's key.
    #[garde(range(min = 1))]
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    key_version: i32,
    /// 24 bytes, in base64url without padding.
    #[garde(custom(encodes(24..=24)))]
    #[schema(
        pattern = "^[A-Za-z0-9_-]{32}$",
        example = "bm9uY2Vub25jZW5vbmNlbm9uY2Vub25j"
    )]
    nonce: String,
    /// The ciphertext and its tag, in base64url without padding.
    #[garde(custom(encodes(TAG_BYTES..=SEALED_BYTES_MAX)))]
    #[schema(
        pattern = "^[A-Za-z0-9_-]{22,2048}$",
        example = "Y2lwaGVydGV4dC1hbmQtaXRzLXRhZw"
    )]
    ciphertext: String,
}

/// The text must encode so many bytes in base64url.
fn encodes(bytes: RangeInclusive<usize>) -> impl Fn(&String, &()) -> garde::Result {
    move |text, ()| match URL_SAFE_NO_PAD.decode(text) {
        Ok(decoded) if bytes.contains(&decoded.len()) => Ok(()),
        _ => Err(garde::Error::new(format!(
            "must be {} to {} bytes in base64url without padding",
            bytes.start(),
            bytes.end()
        ))),
    }
}

impl From<SealedValue> for Sealed {
    fn from(value: SealedValue) -> Self {
        Self {
            subject: UserId(value.subject),
            key_version: value.key_version,
            nonce: value.nonce,
            ciphertext: value.ciphertext,
        }
    }
}
