//! Events of users.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CredentialId, EventField, KeyedHash, Line, MediaId, MessageId, Moment, Sealed, Stored,
};

id! {
    /// The id of a user, who is also the subject under whose key their personal data is sealed.
    UserId
}

/// The name of a user that others see, before it is sealed.
pub type DisplayName = Line<100>;

/// What a user may do. A user holds any number of roles.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A buyer bids and buys. Everybody who registers gets this role.
    Buyer,
    /// A seller describes products and auctions them.
    Seller,
    /// An admin changes categories, and grants and revokes roles.
    Admin,
    /// An auditor reads history.
    Auditor,
    /// An operator runs the system, and sees how it is. The service `operator` of the configuration is something
    /// else.
    Operator,
}

impl EventField for Role {}

impl fmt::Display for Role {
    /// Writes the name that events, access tokens and URLs have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

events! {
    /// The events of a user.
    pub enum Event {
        /// The user registered, and is a buyer.
        #[serde(rename = "user.registered")]
        Registered {
            /// The user.
            user_id: UserId,
            /// The stream that holds the user's password.
            credential_id: CredentialId,
            /// The e-mail address, sealed as `email`.
            email: Sealed,
            /// The keyed hash of the normalised e-mail address, by which users log in and addresses are
            /// unique.
            email_hash: KeyedHash,
            /// The [`DisplayName`], sealed as `display_name`.
            display_name: Sealed,
        },
        /// An admin granted a role to the user, or the user was registered as the first admin.
        #[serde(rename = "user.role_granted")]
        RoleGranted {
            /// The user.
            user_id: UserId,
            /// The role that the user has from now on.
            role: Role,
        },
        /// An admin revoked a role of the user.
        #[serde(rename = "user.role_revoked")]
        RoleRevoked {
            /// The user.
            user_id: UserId,
            /// The role that the user does not have any more.
            role: Role,
        },
        /// The user chose another picture to be seen by, or none.
        #[serde(rename = "user.avatar_chosen")]
        AvatarChosen {
            /// The user.
            user_id: UserId,
            /// The picture; none if the user has none from now on.
            avatar: Option<MediaId>,
        },
        /// The user stated a telephone number, and was sent a code there. A number that was verified before stays the user's
        /// until this one is.
        #[serde(rename = "user.phone_stated")]
        PhoneStated {
            /// The user.
            user_id: UserId,
            /// The number, sealed as `phone_number`.
            number: Sealed,
            /// The keyed hash of the number.
            number_hash: KeyedHash,
            /// The text that brings the code.
            message_id: MessageId,
            /// The keyed hash of the code, with the user.
            code_hash: KeyedHash,
            /// After this time the code proves nothing.
            expires_at: Stored<Moment>,
        },
        /// The user sent another code than the one that the text brings.
        #[serde(rename = "user.phone_code_refused")]
        PhoneCodeRefused {
            /// The user.
            user_id: UserId,
            /// The text that brings the code.
            message_id: MessageId,
        },
        /// The user sent the code, so that the number is theirs from now on.
        #[serde(rename = "user.phone_verified")]
        PhoneVerified {
            /// The user.
            user_id: UserId,
            /// The text that brought the code.
            message_id: MessageId,
            /// The keyed hash of the number.
            number_hash: KeyedHash,
        },
        /// The user has no telephone number any more, and awaits no code.
        #[serde(rename = "user.phone_removed")]
        PhoneRemoved {
            /// The user.
            user_id: UserId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{CREDENTIAL, MEDIA, SELLER, TEXT, hash, moment, sealed};

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
        Event::AvatarChosen {
            user_id: SELLER,
            avatar: Some(MEDIA),
        },
        Event::PhoneStated {
            user_id: SELLER,
            number: sealed("bnVtYmVy"),
            number_hash: hash("c"),
            message_id: TEXT,
            code_hash: hash("d"),
            expires_at: moment(600).into(),
        },
        Event::PhoneCodeRefused {
            user_id: SELLER,
            message_id: TEXT,
        },
        Event::PhoneVerified {
            user_id: SELLER,
            message_id: TEXT,
            number_hash: hash("c"),
        },
        Event::PhoneRemoved { user_id: SELLER },
    ]
}
