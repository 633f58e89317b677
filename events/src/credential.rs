//! Facts about passwords.

use serde::{Deserialize, Serialize};

use crate::{CredentialId, Sealed, UserId};

/// Facts about a credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A password was chosen.
    #[serde(rename = "credential.password_set")]
    PasswordSet {
        /// The credential.
        credential_id: CredentialId,
        /// Whose it is.
        user_id: UserId,
        /// The Argon2id hash in PHC format, sealed as `password_hash`.
        password_hash: Sealed,
    },
}
