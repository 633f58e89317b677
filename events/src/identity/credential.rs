//! Events of credentials, which are passwords.

use crate::{Sealed, UserId};

id! {
    /// The id of a user's credential.
    CredentialId
}

events! {
    /// The events of a credential.
    pub enum Event {
        /// The user chose a password.
        #[serde(rename = "credential.password_set")]
        PasswordSet {
            /// The credential.
            credential_id: CredentialId,
            /// The user whose credential this is.
            user_id: UserId,
            /// The Argon2id hash of the password in PHC format, sealed as `password_hash`.
            password_hash: Sealed,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{CREDENTIAL, SELLER, sealed};

    vec![Event::PasswordSet {
        credential_id: CREDENTIAL,
        user_id: SELLER,
        password_hash: sealed("aGFzaA"),
    }]
}
