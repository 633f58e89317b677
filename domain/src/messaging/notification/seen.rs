//! What users do with the notifications in their inbox: they read them, and put them away.

use tidemark_events::messaging::notification::Event;
use tidemark_events::{NotificationId, UserId};
use uuid::Uuid;

use super::{Error, Notification, Status};
use crate::decision::refusals;
use crate::identity::access;
use crate::{Command, Refusal, Stop, View, Write};

/// The user who sends the command, and the status of a notification in their inbox.
fn find_own(view: &View<'_>, id: NotificationId) -> Result<(UserId, Status), Stop> {
    let reader_id = access::user(view)?;
    match view.get::<Notification>(id.0)? {
        Notification::Raised {
            user_id, status, ..
        } if *user_id == reader_id && *status != Status::Elsewhere => Ok((reader_id, *status)),
        Notification::None | Notification::Raised { .. } => Err(Error::NotFound.into()),
    }
}

fn own_refusals() -> Vec<Refusal> {
    let own = refusals([Error::NotFound, Error::Archived]);
    [access::user_refusals(), own].concat()
}

/// Marks a notification as read.
#[derive(Clone, Debug)]
pub struct Read {
    /// The notification.
    pub notification_id: NotificationId,
}

impl Command for Read {
    fn name(&self) -> &'static str {
        "read_notification"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::Read])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (user_id, status) = find_own(view, self.notification_id)?;
        match status {
            Status::Elsewhere | Status::Unread => Ok(vec![read(self.notification_id, user_id)]),
            Status::Read => Err(Error::Read.into()),
            Status::Archived => Err(Error::Archived.into()),
        }
    }
}

/// Marks all of these notifications as read that are not, at once.
#[derive(Clone, Debug)]
pub struct ReadAll {
    /// The notifications, each once.
    pub notification_ids: Vec<NotificationId>,
}

impl Command for ReadAll {
    fn name(&self) -> &'static str {
        "read_notifications"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Read]);
        [access::user_refusals(), own].concat()
    }

    fn roots(&self) -> Vec<Uuid> {
        self.notification_ids.iter().map(|id| id.0).collect()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::user(view)?;
        let mut writes = Vec::new();
        for id in &self.notification_ids {
            match find_own(view, *id)? {
                (user_id, Status::Unread) => writes.push(read(*id, user_id)),
                (_, Status::Elsewhere | Status::Read | Status::Archived) => {}
            }
        }
        if writes.is_empty() {
            return Err(Error::Read.into());
        }
        Ok(writes)
    }
}

/// Puts a notification away, which is read then at the latest.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The notification.
    pub notification_id: NotificationId,
}

impl Command for Archive {
    fn name(&self) -> &'static str {
        "archive_notification"
    }

    fn refusals() -> Vec<Refusal> {
        own_refusals()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let notification_id = self.notification_id;
        let (user_id, status) = find_own(view, notification_id)?;
        let archived = Event::Archived {
            notification_id,
            user_id,
        };
        let archived = Write::event(notification_id.0, archived);
        match status {
            Status::Elsewhere | Status::Unread => {
                Ok(vec![read(notification_id, user_id), archived])
            }
            Status::Read => Ok(vec![archived]),
            Status::Archived => Err(Error::Archived.into()),
        }
    }
}

fn read(notification_id: NotificationId, user_id: UserId) -> Write {
    Write::event(
        notification_id.0,
        Event::Read {
            notification_id,
            user_id,
        },
    )
}
