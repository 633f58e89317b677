//! The inbox of a user: how many notifications are unread. The notifications themselves are rows of `notification`.

use serde::{Deserialize, Serialize};
use tidemark_events::UserId;
use tidemark_events::identity::user;
use tidemark_events::messaging::notification;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, RowOf};

/// The inbox of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Inbox)]
pub struct Row {
    /// The user.
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// How many notifications the user has not read.
    #[schema(minimum = 0, example = 3)]
    pub unread: i64,
    /// The number of changes of the inbox.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are inboxes, each under the id of the user.
#[derive(Clone, Copy, Debug)]
pub struct Inbox;

impl ReadModel for Inbox {
    const NAME: &'static str = "inbox";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "user.registered",
        "notification.raised",
        "notification.read",
        "notification.archived",
    ]);
    const ROW_OF: RowOf = RowOf::Data;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let change = change(input).map(|(user_id, _)| user_id.0);
        change.into_iter().collect()
    }

    fn fold(key: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some((_, more)) = change(input) else {
            return row;
        };
        let row = row.unwrap_or(Row {
            id: UserId(key),
            unread: 0,
            version: 0,
        });
        Some(Row {
            unread: row.unread.saturating_add(more).max(0),
            version: row.version.saturating_add(1),
            ..row
        })
    }
}

/// Whose inbox an event changes, and by how many unread notifications.
fn change(input: &FoldInput<'_>) -> Option<(UserId, i64)> {
    if let Some(user::Event::Registered { user_id, .. }) = input.event_of() {
        return Some((*user_id, 0));
    }
    match input.event_of()? {
        notification::Event::Raised {
            user_id, channels, ..
        } => channels.inbox.then_some((*user_id, 1)),
        // Only what is in the inbox and unread is read, and what is archived was read before.
        notification::Event::Read { user_id, .. } => Some((*user_id, -1)),
        // Whoever follows the inbox is to see that there is one less in it.
        notification::Event::Archived { user_id, .. } => Some((*user_id, 0)),
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event;
    use tidemark_events::messaging::channels::Channels;
    use tidemark_events::samples::{RIVAL, all};

    use super::*;
    use crate::testing::given;

    fn unread(events: impl IntoIterator<Item = Event>) -> Option<i64> {
        given::<Inbox>(events).get(&RIVAL.0).map(|row| row.unread)
    }

    fn notifications() -> Vec<Event> {
        let events = all().into_iter();
        let is_of = |event: &Event| matches!(event, Event::Notification(_));
        events.filter(is_of).collect()
    }

    #[test]
    fn what_is_raised_is_unread_until_it_is_read() {
        let [raised, read, archived] = &notifications()[..] else {
            panic!("three events")
        };
        assert_eq!(unread([raised.clone(), raised.clone()]), Some(2));
        let events = [raised, raised, read, archived].map(Event::clone);
        assert_eq!(unread(events), Some(1));
    }

    #[test]
    fn what_is_archived_changes_the_inbox_too() {
        let version = |events: &[Event]| {
            let rows = given::<Inbox>(events.to_vec());
            rows.get(&RIVAL.0).map(|row| row.version)
        };
        let notifications = notifications();
        assert_eq!(version(&notifications[..2]), Some(2));
        assert_eq!(version(&notifications), Some(3));
    }

    #[test]
    fn what_is_only_mailed_is_not_counted() {
        let mut raised = notifications().remove(0);
        if let Event::Notification(notification::Event::Raised { channels, .. }) = &mut raised {
            *channels = Channels {
                inbox: false,
                mail: true,
                sms: false,
                digest: false,
            };
        }
        assert_eq!(unread([raised]), None);
    }

    #[test]
    fn whoever_has_registered_has_an_empty_inbox() {
        let rows = given::<Inbox>(all());
        let user = rows.values().find(|row| row.id != RIVAL).unwrap();
        assert_eq!((user.unread, user.version), (0, 1));
    }
}
