//! Facts about users.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CredentialId, KeyedHash, Sealed};

id! {
    /// A user; also the subject whose key seals personal data.
    UserId
}

/// What a user may do. A user holds any number of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Bids and buys. Everybody who registers has it.
    Buyer,
    /// Offers products and auctions them.
    Seller,
    /// Keeps categories, grants roles.
    Admin,
    /// Reads history.
    Auditor,
    /// Runs the system.
    Operator,
}

impl fmt::Display for Role {
    /// The name in facts, tokens and addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

events! {
    /// Facts about a user.
    pub enum Event {
        /// Somebody joined.
        #[serde(rename = "user.registered")]
        Registered {
            /// The user.
            user_id: UserId,
            /// The stream of the user's password.
            credential_id: CredentialId,
            /// Sealed as `email`.
            email: Sealed,
            /// Of the normalised address, for log-in and uniqueness.
            email_hash: KeyedHash,
            /// Sealed as `display_name`.
            display_name: Sealed,
        },
        /// An admin gave a role.
        #[serde(rename = "user.role_granted")]
        RoleGranted {
            /// The user.
            user_id: UserId,
            /// Which role.
            role: Role,
        },
        /// An admin took a role.
        #[serde(rename = "user.role_revoked")]
        RoleRevoked {
            /// The user.
            user_id: UserId,
            /// Which role.
            role: Role,
        },
    }
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{CREDENTIAL, SELLER, hash, sealed};

    vec![
        Event::Registered {
            user_id: SELLER,
            credential_id: CREDENTIAL,
            email: sealed("ZW1haWw"),
            email_hash: hash("a"),
            display_name: sealed("bmFtZQ"),
        },
        Event::RoleGranted {
            user_id: SELLER,
            role: Role::Seller,
        },
        Event::RoleRevoked {
            user_id: SELLER,
            role: Role::Seller,
        },
    ]
}
