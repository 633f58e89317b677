//! How it is put on record what became of a message: the sender says how the sending ended, and a mail server or a provider of
//! texts may report later whether it could deliver it.

use chrono::TimeDelta;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Event, Outcome, Status, Via};
use tidemark_events::{ContactPointId, KeyedHash, MessageId, Moment, Timestamp};

use super::{Error, Message};
use crate::decision::refusals;
use crate::identity::access;
use crate::messaging::contact_point::Refused;
use crate::{Command, Refusal, Stop, View, Write};

/// For so long after a message was to be sent it may come back. Mail servers try for five days; later the address may belong
/// to somebody else, or the return path be known to others.
const COMES_BACK_WITHIN: TimeDelta = TimeDelta::days(14);
/// For so long a message must have been tried that its expiry says anything of the address: many servers put off what they do not
/// know yet.
const TRIED_LONG: TimeDelta = TimeDelta::hours(12);

/// Records how the sending of a message ended. Only a service sends it: the one that has tried.
#[derive(Clone, Debug)]
pub struct End {
    /// The message.
    pub message_id: MessageId,
    /// How its sending ended.
    pub outcome: Outcome,
    /// The codes of the server's answer; none if there was none.
    pub status: Option<Status>,
    /// After what time a mail that must be told is sent once more if it is uncertain whether a server has it; none if never.
    pub repeat_after: Option<TimeDelta>,
    /// The id of the contact point of the address, if there is none yet.
    pub contact_point_id: ContactPointId,
}

/// What follows for the address if a server has refused a message.
fn consequences(
    view: &View<'_>,
    (message_id, channel): (MessageId, Channel),
    (to_hash, status): (Option<&KeyedHash>, Option<&Status>),
    new_id: ContactPointId,
) -> Result<Vec<Write>, Stop> {
    let (Some(address_hash), Some(status)) = (to_hash, status) else {
        return Ok(Vec::new());
    };
    let refused = Refused {
        message_id,
        channel,
        address_hash,
        status,
        new_id,
    };
    refused.writes(view)
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
            Message::Requested {
                channel,
                to_hash,
                from,
                not_after,
                is_critical,
                is_uncertain,
            } => {
                let may_repeat = *channel == Channel::Mail && *is_critical && !is_uncertain;
                if self.outcome == Outcome::Uncertain
                    && may_repeat
                    && let Some(repeat_at) = self.repeat_at(view.now(), *not_after)
                {
                    return Ok(vec![self.uncertain(repeat_at)]);
                }
                let mut writes = vec![self.ended(*is_uncertain)];
                let counts = match self.outcome {
                    Outcome::Bounced => true,
                    Outcome::Expired => *not_after - *from >= TRIED_LONG,
                    Outcome::Accepted
                    | Outcome::Uncertain
                    | Outcome::RecipientErased
                    | Outcome::NumberWithdrawn => false,
                };
                if counts {
                    let said = (to_hash.as_ref(), self.status.as_ref());
                    let new_id = self.contact_point_id;
                    let sent = (self.message_id, *channel);
                    writes.extend(consequences(view, sent, said, new_id)?);
                }
                Ok(writes)
            }
        }
    }
}

impl End {
    /// When the message is sent once more, if that is while it is of use.
    fn repeat_at(&self, now: Timestamp, not_after: Timestamp) -> Option<Timestamp> {
        let at = now + self.repeat_after?;
        (at <= not_after).then_some(at)
    }

    fn uncertain(&self, repeat_at: Timestamp) -> Write {
        let uncertain = Event::Uncertain {
            message_id: self.message_id,
            repeat_at: Moment::nearest(repeat_at).into(),
        };
        Write::event(self.message_id.0, uncertain)
    }

    /// The record of how it ended. A message that no server has taken the second time may have been taken the first time.
    fn ended(&self, is_uncertain: bool) -> Write {
        let outcome = if is_uncertain && self.outcome == Outcome::Expired {
            Outcome::Uncertain
        } else {
            self.outcome
        };
        let ended = Event::Ended {
            message_id: self.message_id,
            outcome,
            status: self.status.clone().map(Into::into),
        };
        Write::event(self.message_id.0, ended)
    }
}

/// Records that a message was refused after a server had taken it. A report that came back is sent by a service; a call of the
/// provider is proven by its signature, whoever sends it.
#[derive(Clone, Debug)]
pub struct Bounce {
    /// The message.
    pub message_id: MessageId,
    /// The code that says why.
    pub status: Status,
    /// How that became known.
    pub via: Via,
    /// The id of the contact point of the address, if there is none yet.
    pub contact_point_id: ContactPointId,
}

impl Command for Bounce {
    fn name(&self) -> &'static str {
        "record_bounce"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::NotOut]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        if self.via == Via::Report {
            access::require_service(view)?;
        }
        let message = out(view, self.message_id)?;
        let bounced = Write::event(
            self.message_id.0,
            Event::Bounced {
                message_id: self.message_id,
                status: self.status.clone().into(),
                via: self.via,
            },
        );
        let said = (message.to_hash(), Some(&self.status));
        let mut writes = vec![bounced];
        let new_id = self.contact_point_id;
        let sent = (self.message_id, message.channel());
        writes.extend(consequences(view, sent, said, new_id)?);
        Ok(writes)
    }
}

/// A message that a server has, or may have, and of which nothing else is on record yet.
pub(super) fn out<'a>(view: &View<'a>, message_id: MessageId) -> Result<&'a Message, Stop> {
    let message = view.get::<Message>(message_id.0)?;
    match message {
        Message::None => return Err(Error::NotFound.into()),
        Message::Over { is_out: false, .. } => return Err(Error::NotOut.into()),
        // The report may be faster than the record that a server has taken it.
        Message::Requested { .. } | Message::Over { is_out: true, .. } => {}
    }
    let is_late = |from| view.now() >= from + COMES_BACK_WITHIN;
    if message.from().is_some_and(is_late) {
        return Err(Error::NotOut.into());
    }
    Ok(message)
}

/// Records that a text has come to the telephone. A call of the provider says so, which is proven by its signature, whoever sends
/// it.
#[derive(Clone, Debug)]
pub struct Deliver {
    /// The text.
    pub message_id: MessageId,
}

impl Command for Deliver {
    fn name(&self) -> &'static str {
        "record_delivery"
    }

    fn refusals() -> Vec<Refusal> {
        refusals([Error::NotFound, Error::NotOut])
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        out(view, self.message_id)?;
        Ok(vec![Write::event(
            self.message_id.0,
            Event::Delivered {
                message_id: self.message_id,
                via: Via::Callback,
            },
        )])
    }
}
