//! Places for messages: of one kind a user, or a telephone, is sent only as many in some time as there are places, each of which
//! belongs to the message that took it last until that time has passed.

use chrono::TimeDelta;
use tidemark_events::{MessageId, Timestamp};

use super::Message;
use crate::{Claim, ClaimScope, Stop, View, Write};

/// The places for messages of one kind to one recipient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// The id of the user, or the keyed hash of the number.
    pub(super) recipient: &'a str,
    /// What the messages have in common.
    pub(super) kind: &'a str,
    /// How many there are.
    pub(super) count: u32,
    /// The time between two messages that take the same place.
    pub(super) spacing: TimeDelta,
}

/// A place that is free, or the one that is free first.
pub(super) struct Place {
    claim: Claim,
    /// When it is free; none if nobody has held it.
    pub(super) free_from: Option<Timestamp>,
}

impl Place {
    /// Takes the place for a message.
    pub(super) fn take(self, message_id: MessageId) -> Vec<Write> {
        let taken = Write::Claim(self.claim.clone(), message_id.0);
        match self.free_from {
            Some(_) => vec![Write::Release(self.claim), taken],
            None => vec![taken],
        }
    }

    /// Whether a message may take it now.
    pub(super) fn is_free(&self, view: &View<'_>) -> bool {
        self.free_from.is_none_or(|from| from <= view.now())
    }
}

impl Places<'_> {
    /// A place that is free, or the one that is free first.
    pub(super) fn first(self, view: &View<'_>) -> Result<Place, Stop> {
        let mut found = self.place(view, 0)?;
        for number in 1..self.count {
            if found.is_free(view) {
                break;
            }
            let next = self.place(view, number)?;
            if next.free_from < found.free_from {
                found = next;
            }
        }
        Ok(found)
    }

    fn place(self, view: &View<'_>, number: u32) -> Result<Place, Stop> {
        let key = format!("{} {} {number}", self.recipient, self.kind);
        let claim = Claim::new(ClaimScope::MessagePlace, key);
        let free_from = match view.owner(&claim)? {
            // A message that a build before knows nothing of holds its place since ever.
            Some(holder) => {
                let from = view.get::<Message>(holder)?.from();
                Some(from.unwrap_or(Timestamp::UNIX_EPOCH) + self.spacing)
            }
            None => None,
        };
        Ok(Place { claim, free_from })
    }
}
