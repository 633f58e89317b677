//! Messages: what one person is told over one channel.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::message::{Event, Outcome, Status, Suppression, Template};
use tidemark_events::{ContactPointId, KeyedHash, MessageId, Moment, Sealed, Timestamp};
use uuid::Uuid;

use crate::decision::refusals;
use crate::identity::user::User;
use crate::identity::{access, user};
use crate::messaging::contact_point;
use crate::messaging::contact_point::Refused;
use crate::{
    AggregateState, Claim, ClaimScope, Code, Command, Reason, Refusal, RefusalKind, Stop, View,
    Write,
};

/// How long a message that holds no code is of use.
const OF_USE: TimeDelta = TimeDelta::hours(24);
/// The time between two messages of one kind to one user that take the same place.
const SPACING: TimeDelta = TimeDelta::hours(1);

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
        /// From when on.
        from: Timestamp,
    },
    /// Its sending has ended, or never began.
    Over {
        /// From when on it was to be sent; none if it was not.
        from: Option<Timestamp>,
    },
}

impl Message {
    /// From when on it is or was to be sent.
    const fn from(&self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Requested { from, .. } => Some(*from),
            Self::Over { from } => *from,
        }
    }
}

impl AggregateState for Message {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 2;

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::Requested {
                to_hash, not_after, ..
            } => Self::Requested {
                to_hash: to_hash.clone(),
                // It was asked for so long before.
                from: **not_after - OF_USE,
            },
            Event::Deferred {
                to_hash,
                not_before,
                ..
            } => Self::Requested {
                to_hash: Some(to_hash.clone()),
                from: **not_before,
            },
            Event::Ended { .. } | Event::Suppressed { .. } => Self::Over { from: self.from() },
        };
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Requested {
                to_hash: Some(hash),
                ..
            } => hash.0.len(),
            Self::None | Self::Requested { to_hash: None, .. } | Self::Over { .. } => 0,
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
    /// How many messages of one kind a user is sent in an hour.
    pub per_hour_max: u32,
}

impl Request {
    /// The request itself, or that the message is sent later or not at all.
    pub(super) fn writes(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let User::Registered { contact, .. } = view.get::<User>(self.to.subject.0)? else {
            return Err(user::Error::NotFound.into());
        };
        let to_hash = &contact.email_hash;
        if contact_point::is_suppressed(view, to_hash)? {
            return Ok(vec![self.suppressed(to_hash, Suppression::Address)]);
        }
        let (place, holder) = self.place(view)?;
        let now = view.now();
        let from = holder.map_or(now, |before| now.max(before + SPACING));
        if from >= now + OF_USE && !self.template.is_critical() {
            return Ok(vec![self.suppressed(to_hash, Suppression::TooMany)]);
        }
        let event = if from > now {
            self.deferred(to_hash, from, now)
        } else {
            self.requested(to_hash, now)
        };
        let mut writes = vec![Write::event(self.message_id.0, event)];
        if view.owner(&place)?.is_some() {
            writes.push(Write::Release(place.clone()));
        }
        writes.push(Write::Claim(place, self.message_id.0));
        Ok(writes)
    }

    /// A place that is free, or the one that is free first, with the time from which on the message that holds it is sent.
    fn place(&self, view: &View<'_>) -> Result<(Claim, Option<Timestamp>), Stop> {
        let mut found = self.held(view, 0)?;
        for number in 1..self.per_hour_max {
            let is_free = found.1.is_none_or(|from| from + SPACING <= view.now());
            if is_free {
                break;
            }
            let next = self.held(view, number)?;
            if next.1 < found.1 {
                found = next;
            }
        }
        Ok(found)
    }

    /// A place, and the time from which on the message that holds it is sent; none if nobody holds it.
    fn held(&self, view: &View<'_>, number: u32) -> Result<(Claim, Option<Timestamp>), Stop> {
        let key = format!("{} {} {number}", self.to.subject, self.template.kind());
        let place = Claim::new(ClaimScope::MessagePlace, key);
        let from = match view.owner(&place)? {
            Some(holder) => view.get::<Message>(holder)?.from(),
            None => None,
        };
        Ok((place, from))
    }

    fn requested(&self, to_hash: &KeyedHash, now: Timestamp) -> Event {
        Event::Requested {
            message_id: self.message_id,
            user_id: self.to.subject,
            template: self.template.clone(),
            to: self.to.clone(),
            to_hash: Some(to_hash.clone()),
            name: self.name.clone(),
            not_after: Moment::nearest(now + OF_USE).into(),
        }
    }

    fn deferred(&self, to_hash: &KeyedHash, from: Timestamp, now: Timestamp) -> Event {
        // What must be told is of use also if it is told late.
        let begin = if self.template.is_critical() {
            from
        } else {
            now
        };
        Event::Deferred {
            message_id: self.message_id,
            user_id: self.to.subject,
            template: self.template.clone(),
            to: self.to.clone(),
            to_hash: to_hash.clone(),
            name: self.name.clone(),
            not_before: Moment::nearest(from).into(),
            not_after: Moment::nearest(begin + OF_USE).into(),
        }
    }

    fn suppressed(&self, to_hash: &KeyedHash, reason: Suppression) -> Write {
        Write::event(
            self.message_id.0,
            Event::Suppressed {
                message_id: self.message_id,
                user_id: self.to.subject,
                template: self.template.clone(),
                to_hash: to_hash.clone(),
                reason,
            },
        )
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
        self.writes(view)
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
            Message::Over { .. } => Err(Error::Over.into()),
            Message::Requested { to_hash, .. } => {
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
