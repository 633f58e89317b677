//! Messages: what one person is told over one channel.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::message::{Event, Outcome, Status, Template};
use tidemark_events::{MessageId, Moment, Sealed};

use crate::decision::refusals;
use crate::identity::access;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// There is no such message.
    #[default]
    None,
    /// The message is to be sent.
    Requested,
    /// Its sending has ended.
    Over,
}

impl AggregateState for Message {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::Requested { .. } => Self::Requested,
            Event::Ended { .. } => Self::Over,
        };
    }
}

/// Has a message sent. Only a service sends it.
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
    /// The request itself.
    pub(super) fn write(&self, view: &View<'_>) -> Write {
        Write::event(
            self.message_id.0,
            Event::Requested {
                message_id: self.message_id,
                user_id: self.to.subject,
                template: self.template.clone(),
                to: self.to.clone(),
                name: self.name.clone(),
                not_after: Moment::nearest(view.now() + OF_USE).into(),
            },
        )
    }
}

impl Command for Request {
    fn name(&self) -> &'static str {
        "request_message"
    }

    fn refusals() -> Vec<Refusal> {
        access::service_refusals()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        Ok(vec![self.write(view)])
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
            Message::Requested => Ok(vec![Write::event(
                self.message_id.0,
                Event::Ended {
                    message_id: self.message_id,
                    outcome: self.outcome,
                    status: self.status.clone().map(Into::into),
                },
            )]),
        }
    }
}

#[cfg(test)]
mod tests;
