//! Telephones: users state a number, and prove that it is theirs by the code of a text that is sent there. Nothing else is sent to
//! a number before.

mod error;

#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use tidemark_events::identity::user::Event;
use tidemark_events::messaging::message::Template;
use tidemark_events::{KeyedHash, MessageId, Moment, Sealed, UserId};

pub use error::Error;

use crate::decision::refusals;
use crate::identity::access;
use crate::identity::user;
use crate::identity::user::{Contact, Phone, PhoneNumber, User};
use crate::messaging::message::{RequestText, TextLimits};
use crate::{Command, Refusal, Stop, View, Write};

/// The number of a user that texts may be sent to; none if there is none.
pub(super) fn verified<'a>(
    view: &View<'a>,
    user_id: UserId,
) -> Result<Option<&'a PhoneNumber>, Stop> {
    match view.get::<User>(user_id.0)? {
        User::None => Ok(None),
        User::Registered { phone, .. } => Ok(phone.verified.as_ref()),
    }
}

/// How the user who sends the command is reached. For everybody else there is no such user.
fn own<'a>(view: &View<'a>, user_id: UserId) -> Result<(&'a Contact, &'a Phone), Stop> {
    let sender_id = access::user(view)?;
    match view.get::<User>(user_id.0)? {
        User::Registered { contact, phone, .. } if user_id == sender_id => Ok((contact, phone)),
        User::None | User::Registered { .. } => Err(user::Error::NotFound.into()),
    }
}

fn own_refusals() -> Vec<Refusal> {
    let absent = refusals([user::Error::NotFound]);
    [access::user_refusals(), absent].concat()
}

/// States the number of the user who sends the command, and has a code sent there. Whether one is sent in truth, or the number is
/// sent nothing now, is on record, and is not told: the number may be somebody else's.
#[derive(Clone, Debug)]
pub struct StatePhone {
    /// The user.
    pub user_id: UserId,
    /// The number.
    pub number: PhoneNumber,
    /// Whether texts are sent to the country of the number.
    pub is_served: bool,
    /// The id of the text that brings the code.
    pub message_id: MessageId,
    /// The code, sealed as `phone_code` under a key of the text.
    pub code: Sealed,
    /// The keyed hash of the code, with the user.
    pub code_hash: KeyedHash,
    /// How long the code is of use.
    pub code_ttl: TimeDelta,
    /// How many texts are sent.
    pub limits: TextLimits,
}

impl Command for StatePhone {
    fn name(&self) -> &'static str {
        "state_phone"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([
            Error::NotServed,
            Error::Verified,
            Error::TooMany,
            Error::BudgetSpent,
        ]);
        [own_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (contact, phone) = own(view, self.user_id)?;
        if !self.is_served {
            return Err(Error::NotServed.into());
        }
        if phone.verified.as_ref().map(|it| &it.hash) == Some(&self.number.hash) {
            return Err(Error::Verified.into());
        }
        let expires_at = view.now() + self.code_ttl;
        let text = RequestText {
            message_id: self.message_id,
            template: Template::PhoneCode {
                code: Box::new(self.code.clone()),
            },
            to: &self.number,
            name: &contact.display_name,
            not_after: Some(expires_at),
            locale: None,
            limits: self.limits,
        };
        let requested = text.writes_of_code(view)?.map_err(Error::from)?;
        let stated = Event::PhoneStated {
            user_id: self.user_id,
            number: self.number.number.clone(),
            number_hash: self.number.hash.clone(),
            message_id: self.message_id,
            code_hash: self.code_hash.clone(),
            expires_at: Moment::nearest(expires_at).into(),
        };
        let mut writes = vec![Write::event(self.user_id.0, stated)];
        writes.extend(requested);
        Ok(writes)
    }
}

/// Verifies the number that the user who sends the command has stated. A code that is not the right one is put on record, so that
/// only so many can be tried.
#[derive(Clone, Debug)]
pub struct VerifyPhone {
    /// The user.
    pub user_id: UserId,
    /// The keyed hash of the code that the user sent, made as that of the text's.
    pub code_hash: KeyedHash,
    /// How many codes may be tried.
    pub attempts_max: u32,
}

impl Command for VerifyPhone {
    fn name(&self) -> &'static str {
        "verify_phone"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::NoCode])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (_, phone) = own(view, self.user_id)?;
        let awaited = phone.awaited.as_ref();
        let open = awaited.filter(|it| it.is_open(view.now(), self.attempts_max));
        let awaited = open.ok_or(Error::NoCode)?;
        let (user_id, message_id) = (self.user_id, awaited.message_id);
        let event = if self.code_hash == awaited.code_hash {
            Event::PhoneVerified {
                user_id,
                message_id,
                number_hash: awaited.number.hash.clone(),
            }
        } else {
            Event::PhoneCodeRefused {
                user_id,
                message_id,
            }
        };
        Ok(vec![Write::event(user_id.0, event)])
    }
}

/// Removes the number of the user who sends the command, so that no more texts are sent.
#[derive(Clone, Debug)]
pub struct RemovePhone {
    /// The user.
    pub user_id: UserId,
}

impl Command for RemovePhone {
    fn name(&self) -> &'static str {
        "remove_phone"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::None])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (_, phone) = own(view, self.user_id)?;
        if *phone == Phone::default() {
            return Err(Error::None.into());
        }
        let user_id = self.user_id;
        let removed = Event::PhoneRemoved { user_id };
        Ok(vec![Write::event(user_id.0, removed)])
    }
}
