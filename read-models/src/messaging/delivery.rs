//! Messages as operators look for them: whom each is for, what it tells of, and what became of it. The address or number is known by its
//! keyed hash alone, and no document holds it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::{Category, Channel};
use tidemark_events::messaging::message::{Event, Outcome};
use tidemark_events::{KeyedHash, MessageId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryStatus, example = "accepted")]
pub enum Status {
    /// It is to be sent.
    Waiting,
    /// It is to be sent later, because the user has been sent enough of its kind for now.
    Deferred,
    /// It is not sent, because nothing is sent to the address for the time, so many wait for the user that it would come too late,
    /// or as many texts as may be were sent.
    Suppressed,
    /// A server has taken it, and answers for it from then on.
    Accepted,
    /// All of it was sent, and no answer came: the server may have taken it. It is not sent again, unless it says before what time it is
    /// not.
    Uncertain,
    /// It has come to the recipient's telephone.
    Delivered,
    /// A server refused it for good, at once or after it had taken it.
    Bounced,
    /// The recipient has complained of it.
    Complained,
    /// No server took it while it was of use.
    Expired,
    /// The recipient was erased before it was sent.
    RecipientErased,
    /// The number of a text was removed, replaced or stated anew before it was sent.
    NumberWithdrawn,
}

impl Status {
    /// The name of the status in documents and queries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Deferred => "deferred",
            Self::Suppressed => "suppressed",
            Self::Accepted => "accepted",
            Self::Uncertain => "uncertain",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Expired => "expired",
            Self::RecipientErased => "recipient_erased",
            Self::NumberWithdrawn => "number_withdrawn",
        }
    }
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Uncertain => Self::Uncertain,
            Outcome::Bounced => Self::Bounced,
            Outcome::Expired => Self::Expired,
            Outcome::RecipientErased => Self::RecipientErased,
            Outcome::NumberWithdrawn => Self::NumberWithdrawn,
        }
    }
}

/// A message to a user, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct Row {
    /// The id of the message.
    #[schema(value_type = Uuid)]
    pub id: MessageId,
    /// The user whom it is for.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// By which channel it is sent.
    pub channel: Channel,
    /// The keyed hash of the address, or of the telephone number. None if a build before had the message sent.
    #[schema(
        value_type = Option<String>,
        example = "8720b056a2bdf508e6185b09fd39ac562a48504de456d0f57578b844e0cd5fd0"
    )]
    pub address_hash: Option<KeyedHash>,
    /// What the notification is of that it brings, or all those that it lists. None if it brings none.
    pub category: Option<Category>,
    /// What became of it.
    pub status: Status,
    /// The codes of the server's last answer: that of SMTP, and where it gave one that of RFC 3463; of a text that of HTTP, and
    /// where it gave one that of the provider.
    #[schema(example = "250 2.0.0")]
    pub codes: Option<String>,
    /// Before this time it is not sent, or not sent once more. None if it could be sent at once.
    pub not_before: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When it was put on record what became of it.
    pub ended_at: Option<DateTime<Utc>>,
    /// The version of the message: the number of its changes.
    #[schema(minimum = 1, example = 2)]
    pub version: i64,
}

/// The read model whose rows are messages, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Delivery;

impl ReadModel for Delivery {
    const NAME: &'static str = "delivery";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "message.requested",
        "message.deferred",
        "message.suppressed",
        "message.uncertain",
        "message.ended",
        "message.delivered",
        "message.bounced",
        "message.complained",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
            Column::hash("address_hash", row.address_hash.as_ref()),
            Column::uuid("user_id", row.user_id.0),
            Column::text("status", row.status.name()),
        ]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let id = input.event_of().map(|event| id(event).0);
        id.into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some(event) = input.event_of() else {
            return row;
        };
        let at = input.recorded.recorded_at;
        let mut row = match row {
            Some(row) => row,
            None => new(event, at)?,
        };
        match event {
            Event::Requested { .. } => {}
            Event::Deferred { not_before, .. } => row.not_before = Some(**not_before),
            Event::Suppressed { .. } => row.ended_at = Some(at),
            Event::Uncertain { repeat_at, .. } => {
                row.status = Status::Uncertain;
                row.not_before = Some(**repeat_at);
            }
            Event::Ended {
                outcome, status, ..
            } => {
                row.status = (*outcome).into();
                row.codes = status.as_deref().cloned();
                row.ended_at = Some(at);
            }
            Event::Delivered { .. } => {
                row.status = Status::Delivered;
                row.ended_at = Some(at);
            }
            Event::Bounced { status, .. } => {
                row.status = Status::Bounced;
                row.codes = Some(String::clone(status));
                row.ended_at = Some(at);
            }
            Event::Complained { .. } => {
                row.status = Status::Complained;
                row.ended_at = Some(at);
            }
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

const fn id(event: &Event) -> MessageId {
    match event {
        Event::Requested { message_id, .. }
        | Event::Deferred { message_id, .. }
        | Event::Suppressed { message_id, .. }
        | Event::Uncertain { message_id, .. }
        | Event::Ended { message_id, .. }
        | Event::Delivered { message_id, .. }
        | Event::Bounced { message_id, .. }
        | Event::Complained { message_id } => *message_id,
    }
}

/// The row of a message that begins with this event.
fn new(event: &Event, requested_at: DateTime<Utc>) -> Option<Row> {
    let (user_id, channel, template, address_hash, status) = match event {
        Event::Requested {
            user_id,
            channel,
            template,
            to_hash,
            ..
        } => (
            user_id,
            *channel,
            template,
            to_hash.clone(),
            Status::Waiting,
        ),
        Event::Deferred {
            user_id,
            template,
            to_hash,
            ..
        } => {
            let hash = Some(to_hash.clone());
            (user_id, Channel::Mail, template, hash, Status::Deferred)
        }
        Event::Suppressed {
            user_id,
            channel,
            template,
            to_hash,
            ..
        } => {
            let hash = Some(to_hash.clone());
            (user_id, *channel, template, hash, Status::Suppressed)
        }
        Event::Uncertain { .. }
        | Event::Ended { .. }
        | Event::Delivered { .. }
        | Event::Bounced { .. }
        | Event::Complained { .. } => return None,
    };
    Some(Row {
        id: id(event),
        user_id: *user_id,
        channel,
        address_hash,
        category: template.category(),
        status,
        codes: None,
        not_before: None,
        requested_at,
        ended_at: None,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{LATER_MESSAGE, MESSAGE, TEXT, UNSENT_MESSAGE, all, at};

    use super::*;
    use crate::testing::given;

    #[test]
    fn a_message_has_the_outcome_that_is_on_record() {
        let is_report = |event: &tidemark_events::Event| {
            let event_type = event.encode().unwrap().event_type;
            ["message.bounced", "message.complained"].contains(&&*event_type)
        };
        let rows = given::<Delivery>(all().into_iter().filter(|it| !is_report(it)));
        let sent = &rows[&MESSAGE.0];
        assert_eq!(sent.status, Status::Accepted);
        assert_eq!(sent.codes.as_deref(), Some("250 2.0.0"));
        let reported = given::<Delivery>(all());
        assert_eq!(reported[&LATER_MESSAGE.0].status, Status::Complained);
        let bounced = &reported[&MESSAGE.0];
        assert_eq!(bounced.status, Status::Bounced);
        assert_eq!(bounced.codes.as_deref(), Some("5.1.1"));
        assert!(sent.ended_at > Some(sent.requested_at));
        let later = &rows[&LATER_MESSAGE.0];
        let expected = (Status::Deferred, Some(at(3_600)));
        assert_eq!((later.status, later.not_before), expected);
        let text = &rows[&TEXT.0];
        assert_eq!(
            (text.status, text.channel),
            (Status::Delivered, Channel::Sms)
        );
        let unsent = &rows[&UNSENT_MESSAGE.0];
        assert_eq!((unsent.status, &unsent.codes), (Status::Suppressed, &None));
    }
}
