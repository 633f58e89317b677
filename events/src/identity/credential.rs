//! Facts about passwords.

use crate::{Sealed, UserId};

id! {
    /// A user's credential.
    CredentialId
}

events! {
    /// Facts about a credential.
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
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{CREDENTIAL, SELLER, sealed};

    vec![Event::PasswordSet {
        credential_id: CREDENTIAL,
        user_id: SELLER,
        password_hash: sealed("aGFzaA"),
    }]
}
