//! What rules need to know of the telephone number of a user: the one that is verified, and the one that a code was sent to.

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::Event;
use tidemark_events::{KeyedHash, MessageId, Moment, Sealed, Stored, Timestamp};

use super::sealed_bytes;

/// A telephone number of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// The number, sealed as `phone_number`.
    pub number: Sealed,
    /// The keyed hash of the number.
    pub hash: KeyedHash,
}

/// A number that is not known to be the user's, with the code that was sent there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedCode {
    /// The number.
    pub number: PhoneNumber,
    /// The text that brings the code.
    pub message_id: MessageId,
    /// The keyed hash of the code, with the user.
    pub code_hash: KeyedHash,
    /// After this time the code proves nothing.
    pub expires_at: Stored<Moment>,
    /// How many other codes the user has sent.
    pub refused: u32,
}

impl AwaitedCode {
    /// Whether the code still proves something, of which so many may be tried.
    #[must_use]
    pub fn is_open(&self, now: Timestamp, attempts_max: u32) -> bool {
        now <= *self.expires_at && self.refused < attempts_max
    }
}

/// The telephone number of a user, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The number that the user has proven to have; none if there is none.
    pub verified: Option<PhoneNumber>,
    /// The number that the user has stated, until it is verified.
    pub awaited: Option<AwaitedCode>,
}

impl Phone {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::PhoneStated {
                number,
                number_hash,
                message_id,
                code_hash,
                expires_at,
                ..
            } => {
                self.awaited = Some(AwaitedCode {
                    number: PhoneNumber {
                        number: number.clone(),
                        hash: number_hash.clone(),
                    },
                    message_id: *message_id,
                    code_hash: code_hash.clone(),
                    expires_at: *expires_at,
                    refused: 0,
                });
            }
            Event::PhoneCodeRefused { .. } => {
                if let Some(awaited) = &mut self.awaited {
                    awaited.refused += 1;
                }
            }
            Event::PhoneVerified { .. } => {
                if let Some(awaited) = self.awaited.take() {
                    self.verified = Some(awaited.number);
                }
            }
            Event::PhoneRemoved { .. } => *self = Self::default(),
            Event::Registered { .. }
            | Event::RoleGranted { .. }
            | Event::RoleRevoked { .. }
            | Event::AvatarChosen { .. } => {}
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let of = |it: &PhoneNumber| sealed_bytes(&it.number) + it.hash.0.len();
        let awaited = self.awaited.as_ref();
        let awaited = awaited.map_or(0, |it| of(&it.number) + it.code_hash.0.len());
        size_of::<Self>() + self.verified.as_ref().map_or(0, of) + awaited
    }
}
