//! Personal data inside events: sealed, or as a keyed hash. The keys and the cryptography are in
//! `event-store`.

use serde::{Deserialize, Serialize};

use crate::UserId;

/// A personal value, encrypted under the key of the person it is about.
///
/// The encryption authenticates the subject and the name of the field with the value, but nothing else of
/// the event, so that a fold can copy a sealed value into a row. When the subject's key is destroyed, the
/// value cannot be read any more, wherever it was copied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The person whom the value is about, and whose key opens it.
    pub subject: UserId,
    /// The version of the subject's key that the value is encrypted under.
    pub key_version: i32,
    /// The nonce: 24 bytes, in base64url without padding.
    pub nonce: String,
    /// The ciphertext and its authentication tag, in base64url without padding.
    pub ciphertext: String,
}

/// The HMAC-SHA-256 of a personal or secret value under a key that is not in the log: 64 lower-case
/// hexadecimal digits.
///
/// Decisions and folds compare keyed hashes, so they never need the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyedHash(pub String);
