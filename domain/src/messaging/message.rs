//! Messages: what one person is told over one channel.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::message::{Event, Outcome, Status, Suppression, Template};
use tidemark_events::{ContactPointId, KeyedHash, MessageId, Moment, Sealed};
use uuid::Uuid;

use crate::decision::refusals;
use crate::identity::user::User;
use crate::identity::{access, user};
use crate::messaging::contact_point;
use crate::messaging::contact_point::Refused;
use crate::{AggregateState, Code, Command, Reason, Refusal, RefusalKind, Stop, View, Write};

/// How long a message that holds no code is of use.
const OF_USE: TimeDelta = TimeDelta::hours(24);

/// Why a command on a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No message has that id.
    #[error("there is no such message")]
    NotFound,
    /// The sending of the message has ended already.
    #[error("the sending of the message has ended")]
    Over,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Over => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "message_not_found",
                meaning: "No message has this id.",
                what_to_do: "Check the id.",
            },
            Self::Over => Code {
                name: "message_over",
                meaning: "How the sending of the message ended is on record already.",
                what_to_do: "Nothing: the first record counts.",
            },
        }
    }
}

/// The state of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// There is no such message.
    #[default]
    None,
    /// The message is to be sent.
    Requested {
        /// The keyed hash of the address; none if a build before had it sent.
        to_hash: Option<KeyedHash>,
    },
    /// Its sending has ended, or never began.
    Over,
}

impl AggregateState for Message {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 2;

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::Requested { to_hash, .. } => Self::Requested {
                to_hash: to_hash.clone(),
            },
            Event::Ended { .. } | Event::Suppressed { .. } => Self::Over,
        };
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Requested {
                to_hash: Some(hash),
            } => hash.0.len(),
            Self::None | Self::Requested { to_hash: None } | Self::Over => 0,
        }
    }
}

/// Has a message sent, unless nothing is sent to the address now. Only a service sends it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id of the new message.
    pub message_id: MessageId,
    /// What it says.
    pub template: Template,
    /// The address, sealed as `email`. Its subject is the recipient.
    pub to: Sealed,
    /// The name of the recipient, sealed as `display_name`.
    pub name: Sealed,
}

impl Request {
    /// The request itself, or that the message is not sent.
    pub(super) fn write(&self, view: &View<'_>) -> Result<Write, Stop> {
        let user_id = self.to.subject;
        let User::Registered { contact, .. } = view.get::<User>(user_id.0)? else {
            return Err(user::Error::NotFound.into());
        };
        let to_hash = contact.email_hash.clone();
        let event = if contact_point::is_suppressed(view, &to_hash)? {
            Event::Suppressed {
                message_id: self.message_id,
                user_id,
                template: self.template.clone(),
                to_hash,
                reason: Suppression::Address,
            }
        } else {
            Event::Requested {
                message_id: self.message_id,
                user_id,
                template: self.template.clone(),
                to: self.to.clone(),
                to_hash: Some(to_hash),
                name: self.name.clone(),
                not_after: Moment::nearest(view.now() + OF_USE).into(),
            }
        };
        Ok(Write::event(self.message_id.0, event))
    }
}

impl Command for Request {
    fn name(&self) -> &'static str {
        "request_message"
    }

    fn refusals() -> Vec<Refusal> {
        let absent = refusals([user::Error::NotFound]);
        [access::service_refusals(), absent].concat()
    }

    fn roots(&self) -> Vec<Uuid> {
        vec![self.to.subject.0]
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        Ok(vec![self.write(view)?])
    }
}

/// Records how the sending of a message ended. Only a service sends it: the one that has tried.
#[derive(Clone, Debug)]
pub struct End {
    /// The message.
    pub message_id: MessageId,
    /// How its sending ended.
    pub outcome: Outcome,
    /// The codes of the server's answer; none if there was none.
    pub status: Option<Status>,
    /// The id of the contact point of the address, if there is none yet.
    pub contact_point_id: ContactPointId,
}

impl End {
    /// What follows for the address if a server has refused the message for good, or as long as it was of use.
    fn consequences(
        &self,
        view: &View<'_>,
        to_hash: Option<&KeyedHash>,
    ) -> Result<Vec<Write>, Stop> {
        let is_refused = matches!(self.outcome, Outcome::Bounced | Outcome::Expired);
        let (true, Some(address_hash), Some(status)) = (is_refused, to_hash, &self.status) else {
            return Ok(Vec::new());
        };
        let refused = Refused {
            message_id: self.message_id,
            address_hash,
            status,
            new_id: self.contact_point_id,
        };
        refused.writes(view)
    }
}

impl Command for End {
    fn name(&self) -> &'static str {
        "end_message"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Over]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        match view.get::<Message>(self.message_id.0)? {
            Message::None => Err(Error::NotFound.into()),
            Message::Over => Err(Error::Over.into()),
            Message::Requested { to_hash } => {
                let ended = Write::event(
                    self.message_id.0,
                    Event::Ended {
                        message_id: self.message_id,
                        outcome: self.outcome,
                        status: self.status.clone().map(Into::into),
                    },
                );
                let mut writes = vec![ended];
                writes.extend(self.consequences(view, to_hash.as_ref())?);
                Ok(writes)
            }
        }
    }
}

#[cfg(test)]
mod tests;
