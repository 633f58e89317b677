//! Users as far as rules are concerned: the roles that they hold. Their passwords are in `credential`.

mod error;
mod phone;
mod register;
mod roles;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::{Event, Role};
use tidemark_events::{CredentialId, KeyedHash, MediaId, Sealed};

pub use error::Error;
pub use phone::{AwaitedCode, Phone, PhoneNumber};
pub use register::{CreateFirstAdmin, Register};
pub use roles::{GrantRole, RevokeRole};

use crate::AggregateState;

/// How a user is addressed and reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The e-mail address, sealed as `email`.
    pub email: Sealed,
    /// The keyed hash of the normalised e-mail address.
    pub email_hash: KeyedHash,
    /// The name that others see, sealed as `display_name`.
    pub display_name: Sealed,
}

/// The state of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// Nobody has registered under this id.
    #[default]
    None,
    /// Somebody registered.
    Registered {
        /// The stream that holds the user's password.
        credential_id: CredentialId,
        /// The roles that the user holds now.
        roles: BTreeSet<Role>,
        /// How the user is addressed and reached.
        contact: Box<Contact>,
        /// The picture that the user is seen by; none if there is none.
        avatar: Option<MediaId>,
        /// The telephone number of the user, if there is one.
        phone: Box<Phone>,
    },
}

impl User {
    /// Whether the user holds the role now.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        match self {
            Self::None => false,
            Self::Registered { roles, .. } => roles.contains(&role),
        }
    }

    /// Whether this is the number that the user has proven to have, or the one that awaits its code, as it was sealed when it was
    /// stated.
    #[must_use]
    pub fn states_phone(&self, number: &Sealed) -> bool {
        let Self::Registered { phone, .. } = self else {
            return false;
        };
        let verified = phone.verified.as_ref();
        let awaited = phone.awaited.as_ref().map(|it| &it.number);
        [verified, awaited]
            .into_iter()
            .flatten()
            .any(|it| it.number == *number)
    }
}

impl AggregateState for User {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 5;

    fn evolve(&mut self, event: &Event) {
        match (self, event) {
            (
                user,
                Event::Registered {
                    credential_id,
                    email,
                    email_hash,
                    display_name,
                    ..
                },
            ) => {
                *user = Self::Registered {
                    credential_id: *credential_id,
                    roles: BTreeSet::from([Role::Buyer]),
                    contact: Box::new(Contact {
                        email: email.clone(),
                        email_hash: email_hash.clone(),
                        display_name: display_name.clone(),
                    }),
                    avatar: None,
                    phone: Box::default(),
                };
            }
            (Self::Registered { roles, .. }, Event::RoleGranted { role, .. }) => {
                roles.insert(*role);
            }
            (Self::Registered { roles, .. }, Event::RoleRevoked { role, .. }) => {
                roles.remove(role);
            }
            (Self::Registered { avatar, .. }, Event::AvatarChosen { avatar: chosen, .. }) => {
                *avatar = *chosen;
            }
            (
                Self::Registered { phone, .. },
                Event::PhoneStated { .. }
                | Event::PhoneCodeRefused { .. }
                | Event::PhoneVerified { .. }
                | Event::PhoneRemoved { .. },
            ) => phone.evolve(event),
            (
                Self::None,
                Event::RoleGranted { .. }
                | Event::RoleRevoked { .. }
                | Event::AvatarChosen { .. }
                | Event::PhoneStated { .. }
                | Event::PhoneCodeRefused { .. }
                | Event::PhoneVerified { .. }
                | Event::PhoneRemoved { .. },
            ) => {}
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Registered {
                roles,
                contact,
                phone,
                ..
            } => {
                let sealed = sealed_bytes(&contact.email) + sealed_bytes(&contact.display_name);
                let hash = contact.email_hash.0.len();
                roles.len() * size_of::<Role>() + sealed + hash + phone.heap_bytes()
            }
        }
    }
}

/// The bytes of the texts of a sealed value.
const fn sealed_bytes(value: &Sealed) -> usize {
    value.nonce.len() + value.ciphertext.len()
}
