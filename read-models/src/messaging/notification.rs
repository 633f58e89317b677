//! Notifications as their users find them in the inbox. What a user is told by other channels alone has no row.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::notification;
use tidemark_events::messaging::notification::Event;
use tidemark_events::tasks::task::PauseReason;
use tidemark_events::{AuctionId, Money, NotificationId, ProductId, TaskId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf, schema};

/// How far the user is with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationStatus, example = "unread")]
pub enum Status {
    /// The user has not read it.
    Unread,
    /// The user has read it.
    Read,
    /// The user has put it away.
    Archived,
}

impl Status {
    /// The name of the status in documents and queries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Read => "read",
            Self::Archived => "archived",
        }
    }
}

/// What notifications can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// An auction.
    Auction,
    /// A task.
    Task,
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationSubject)]
pub struct Subject {
    /// What that is.
    pub kind: SubjectKind,
    /// The auction; none if it is about none.
    #[schema(value_type = Option<Uuid>)]
    pub auction_id: Option<AuctionId>,
    /// The product that is or was auctioned; none if it is about none.
    #[schema(value_type = Option<Uuid>)]
    pub product_id: Option<ProductId>,
    /// The task; none if it is about none.
    #[schema(value_type = Option<Uuid>, example = json!(null))]
    pub task_id: Option<TaskId>,
    /// The title of the product, or the name of the task.
    #[schema(example = "Brass sextant")]
    pub title: String,
    /// Why the task was paused; none if it is about none.
    #[schema(example = json!(null))]
    pub paused_for: Option<PauseReason>,
    /// The bid that outbids the user, or the price that the buyer pays; none if nothing was sold.
    #[schema(value_type = Option<schema::Money>)]
    pub amount: Option<Money>,
}

/// A notification in the inbox of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Notification)]
pub struct Row {
    /// The id of the notification.
    #[schema(value_type = Uuid)]
    pub id: NotificationId,
    /// The user who is notified.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// What the notification is of.
    pub category: Category,
    /// What the notification is about.
    pub about: Subject,
    /// How far the user is with it.
    pub status: Status,
    /// When the user was notified.
    pub raised_at: DateTime<Utc>,
    /// The version of the notification: the number of its changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are notifications, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Notification;

impl ReadModel for Notification {
    const NAME: &'static str = "notification";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "notification.raised",
        "notification.read",
        "notification.archived",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
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
        let mut row = row.or_else(|| raised(event, input.recorded.recorded_at))?;
        match event {
            Event::Raised { .. } => {}
            Event::Read { .. } => row.status = Status::Read,
            Event::Archived { .. } => row.status = Status::Archived,
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

fn id(event: &Event) -> NotificationId {
    match event {
        Event::Raised {
            notification_id, ..
        }
        | Event::Read {
            notification_id, ..
        }
        | Event::Archived {
            notification_id, ..
        } => *notification_id,
    }
}

/// The first row of a notification. `None` if it is not in the inbox.
fn raised(event: &Event, raised_at: DateTime<Utc>) -> Option<Row> {
    let Event::Raised {
        notification_id,
        user_id,
        category,
        subject,
        channels,
        ..
    } = event
    else {
        return None;
    };
    channels.inbox.then(|| Row {
        id: *notification_id,
        user_id: *user_id,
        category: *category,
        about: about(subject),
        status: Status::Unread,
        raised_at,
        version: 0,
    })
}

fn about(subject: &notification::Subject) -> Subject {
    match subject {
        notification::Subject::Auction {
            auction_id,
            product_id,
            title,
            amount,
        } => Subject {
            kind: SubjectKind::Auction,
            auction_id: Some(*auction_id),
            product_id: Some(*product_id),
            task_id: None,
            title: String::clone(title),
            paused_for: None,
            amount: amount.map(|amount| *amount),
        },
        notification::Subject::Task {
            task_id,
            name,
            reason,
        } => Subject {
            kind: SubjectKind::Task,
            auction_id: None,
            product_id: None,
            task_id: Some(*task_id),
            title: String::clone(name),
            paused_for: Some(*reason),
            amount: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::AggregateEvent;
    use tidemark_events::messaging::channels::Channels;
    use tidemark_events::samples;
    use tidemark_events::samples::NOTIFICATION;

    use super::*;
    use crate::testing::given;

    /// The sample events of a notification, by these channels.
    fn events(channels: Channels) -> Vec<Event> {
        let events = samples::all().into_iter();
        let events = events.filter_map(|event| Event::from_event(&event).cloned());
        let mut events: Vec<_> = events.collect();
        if let Event::Raised {
            channels: stated, ..
        } = &mut events[0]
        {
            *stated = channels;
        }
        events
    }

    #[test]
    fn a_notification_is_unread_then_read_then_archived() {
        let events = events(Channels::OF_EVERYBODY);
        let expected = [Status::Unread, Status::Read, Status::Archived];
        for (number, expected) in (1..).zip(expected) {
            let rows = given::<Notification>(events.iter().take(number).cloned());
            let row = &rows[&NOTIFICATION.0];
            assert_eq!(row.status, expected);
            assert_eq!(usize::try_from(row.version), Ok(number));
        }
    }

    #[test]
    fn what_is_only_mailed_is_not_in_the_inbox() {
        let by_mail = Channels {
            inbox: false,
            mail: true,
            sms: false,
            digest: false,
        };
        assert!(given::<Notification>(events(by_mail)).is_empty());
    }
}
