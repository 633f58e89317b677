//! Credentials: what log-in compares a password with. Registration writes them, and no rule is here.

use serde::{Deserialize, Serialize};
use tidemark_events::Sealed;
use tidemark_events::identity::credential::Event;

use crate::AggregateState;

/// The state of a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// There is no such credential.
    #[default]
    None,
    /// The user logs in with a password.
    Password {
        /// The Argon2id hash of the password in PHC format, sealed as `password_hash`.
        hash: Sealed,
    },
}

impl AggregateState for Credential {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::PasswordSet { password_hash, .. } => {
                *self = Self::Password {
                    hash: password_hash.clone(),
                };
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Password { hash } => hash.nonce.len() + hash.ciphertext.len(),
        }
    }
}
