//! Personal data inside facts: sealed, or as a keyed hash. The keys and the cryptography are elsewhere.

use serde::{Deserialize, Serialize};

use crate::UserId;

/// A personal value, encrypted under its subject's key.
///
/// The subject and the field's name are the associated data, and nothing of the fact around it, so
/// that a fold can copy it into a row. Destroying the subject's key erases it everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Whose data it is, and so whose key opens it.
    pub subject: UserId,
    /// Which of the subject's keys.
    pub key_version: i32,
    /// 24 bytes, base64url without padding.
    pub nonce: String,
    /// Ciphertext and tag, base64url without padding.
    pub ciphertext: String,
}

/// HMAC-SHA-256 of a personal value under a key kept outside the log, as lower-case hex.
///
/// Decisions and folds compare these and never the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyedHash(pub String);
