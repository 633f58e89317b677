//! How a user is notified of each category: as chosen, and by default where the user has not chosen.

use serde::{Deserialize, Serialize};
use tidemark_events::UserId;
use tidemark_events::identity::user;
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::messaging::preferences;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, RowOf};

/// How a user is notified of a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationPreference)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "clients know each of them by its name"
)]
pub struct Preference {
    /// The category.
    pub category: Category,
    /// Whether the user finds such notifications in the inbox.
    #[schema(example = true)]
    pub inbox: bool,
    /// Whether the user is sent them as mails.
    #[schema(example = false)]
    pub mail: bool,
    /// Whether the user is sent them as texts.
    #[schema(example = false)]
    pub sms: bool,
    /// Whether mails of them come together, as a digest.
    #[schema(example = false)]
    pub digest: bool,
    /// Whether the user cannot switch off the inbox and mails.
    #[schema(example = false)]
    pub required: bool,
}

/// How a user is notified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Preferences)]
pub struct Row {
    /// The user.
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// What holds of each category of notifications.
    pub categories: Vec<Preference>,
    /// The number of choices that the user has made; 0 if everything is as for new users.
    #[schema(minimum = 0, example = 7)]
    pub version: i64,
}

/// The read model whose rows are preferences, each under the id of the user.
#[derive(Clone, Copy, Debug)]
pub struct Preferences;

impl ReadModel for Preferences {
    const NAME: &'static str = "preferences";
    const FOLD_VERSION: i32 = 4;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "user.registered",
        "preferences.changed",
        "preferences.unsubscribed",
    ]);
    const ROW_OF: RowOf = RowOf::Data;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let user_id = registered(input).or_else(|| changed(input).map(|it| it.user_id));
        user_id.map(|id| id.0).into_iter().collect()
    }

    fn fold(key: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let mut row = row.unwrap_or_else(|| by_default(UserId(key)));
        if let Some(change) = changed(input) {
            let mut categories = row.categories.iter_mut();
            if let Some(found) = categories.find(|it| it.category == change.category) {
                found.inbox = change.inbox.unwrap_or(found.inbox);
                found.mail = change.mail;
                found.sms = change.sms.unwrap_or(found.sms);
                found.digest = change.digest.unwrap_or(found.digest);
            }
            row.version = input.recorded.version;
        }
        Some(row)
    }
}

fn registered(input: &FoldInput<'_>) -> Option<UserId> {
    match input.event_of()? {
        user::Event::Registered { user_id, .. } => Some(*user_id),
        user::Event::RoleGranted { .. }
        | user::Event::RoleRevoked { .. }
        | user::Event::AvatarChosen { .. }
        | user::Event::PhoneStated { .. }
        | user::Event::PhoneCodeRefused { .. }
        | user::Event::PhoneVerified { .. }
        | user::Event::PhoneRemoved { .. } => None,
    }
}

/// What changes of the preferences of a user.
struct Change {
    user_id: UserId,
    category: Category,
    /// None if it stays as it is.
    inbox: Option<bool>,
    mail: bool,
    /// None if it stays as it is.
    sms: Option<bool>,
    /// None if it stays as it is.
    digest: Option<bool>,
}

fn changed(input: &FoldInput<'_>) -> Option<Change> {
    Some(match input.event_of()? {
        preferences::Event::Changed {
            user_id,
            category,
            channels,
            ..
        } => Change {
            user_id: *user_id,
            category: *category,
            inbox: Some(channels.inbox),
            mail: channels.mail,
            sms: Some(channels.sms),
            digest: Some(channels.digest),
        },
        preferences::Event::Unsubscribed {
            user_id, category, ..
        } => Change {
            user_id: *user_id,
            category: *category,
            inbox: None,
            mail: false,
            sms: None,
            digest: None,
        },
    })
}

fn preference(category: Category, channels: Channels) -> Preference {
    Preference {
        category,
        inbox: channels.inbox,
        mail: channels.mail,
        sms: channels.sms,
        digest: channels.digest,
        required: category.is_required(),
    }
}

fn by_default(id: UserId) -> Row {
    let of = |category: Category| preference(category, category.default_channels());
    Row {
        id,
        categories: Category::ALL.map(of).into(),
        version: 0,
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{SELLER, all};

    use super::*;
    use crate::testing::given;

    #[test]
    fn what_a_user_has_chosen_replaces_what_holds_by_default() {
        let new = &given::<Preferences>(all().into_iter().take(1))[&SELLER.0];
        assert_eq!(*new, by_default(SELLER));
        let rows = given::<Preferences>(all());
        let row = &rows[&SELLER.0];
        assert!(row.version > 0);
        for (now, before) in row.categories.iter().zip(&new.categories) {
            let is_changed = matches!(now.category, Category::NotWon | Category::Unsold);
            assert_eq!(now != before, is_changed, "{:?}", now.category);
            if now.category == Category::Unsold {
                assert_eq!((now.inbox, now.mail), (true, false));
            }
        }
    }
}
