//! A user as they see themselves. Personal data is copied into the row as it is in the event: sealed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::{Event, Role};
use tidemark_events::{MediaId, Sealed, Timestamp, UserId};
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, RowOf};

/// The profile of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The user.
    pub id: UserId,
    /// The e-mail address, sealed as `email`.
    pub email: Sealed,
    /// The name that others see, sealed as `display_name`.
    pub display_name: Sealed,
    /// The roles that the user holds.
    pub roles: BTreeSet<Role>,
    /// The picture that the user is seen by; none if there is none.
    pub avatar: Option<MediaId>,
    /// The telephone number that texts are sent to, sealed as `phone_number`; none if none is verified.
    pub phone: Option<Sealed>,
    /// The number that awaits its code; none if none does.
    pub awaited: Option<AwaitedPhone>,
    /// When the user registered.
    pub registered_at: Timestamp,
    /// The version of the last event of the user's stream that is in the row.
    pub version: i64,
}

/// A number that a user has stated, and that is not verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedPhone {
    /// The number, sealed as `phone_number`.
    pub number: Sealed,
    /// After this time the code proves nothing.
    pub expires_at: Timestamp,
}

/// The read model whose rows are profiles, each under the user's id.
#[derive(Clone, Copy, Debug)]
pub struct Profile;

impl ReadModel for Profile {
    const NAME: &'static str = "profile";
    const FOLD_VERSION: i32 = 3;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "user.registered",
        "user.role_granted",
        "user.role_revoked",
        "user.avatar_chosen",
        "user.phone_stated",
        "user.phone_code_refused",
        "user.phone_verified",
        "user.phone_removed",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        input
            .event_of()
            .map(|event| id(event).0)
            .into_iter()
            .collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some(event) = input.event_of() else {
            return row;
        };
        let mut row = row.or_else(|| registered(event, input.recorded.recorded_at))?;
        match event {
            Event::Registered { .. } | Event::PhoneCodeRefused { .. } => {}
            Event::RoleGranted { role, .. } => {
                row.roles.insert(*role);
            }
            Event::RoleRevoked { role, .. } => {
                row.roles.remove(role);
            }
            Event::AvatarChosen { avatar, .. } => row.avatar = *avatar,
            Event::PhoneStated {
                number, expires_at, ..
            } => {
                row.awaited = Some(AwaitedPhone {
                    number: number.clone(),
                    expires_at: **expires_at,
                });
            }
            Event::PhoneVerified { .. } => {
                if let Some(awaited) = row.awaited.take() {
                    row.phone = Some(awaited.number);
                }
            }
            Event::PhoneRemoved { .. } => {
                row.phone = None;
                row.awaited = None;
            }
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

fn id(event: &Event) -> UserId {
    match event {
        Event::Registered { user_id, .. }
        | Event::RoleGranted { user_id, .. }
        | Event::RoleRevoked { user_id, .. }
        | Event::AvatarChosen { user_id, .. }
        | Event::PhoneStated { user_id, .. }
        | Event::PhoneCodeRefused { user_id, .. }
        | Event::PhoneVerified { user_id, .. }
        | Event::PhoneRemoved { user_id } => *user_id,
    }
}

/// The first row of a user. Everybody who registers is a buyer. `None` if the user has not registered.
fn registered(event: &Event, registered_at: Timestamp) -> Option<Row> {
    let Event::Registered {
        user_id,
        email,
        display_name,
        ..
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *user_id,
        email: email.clone(),
        display_name: display_name.clone(),
        roles: BTreeSet::from([Role::Buyer]),
        avatar: None,
        phone: None,
        awaited: None,
        registered_at,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::{SELLER, at};

    use super::*;
    use crate::testing::given;

    #[test]
    fn roles_are_granted_and_revoked() {
        let roles = |events: usize| {
            let events = samples::all().into_iter().take(events);
            given::<Profile>(events)[&SELLER.0].roles.clone()
        };
        assert_eq!(roles(1), BTreeSet::from([Role::Buyer]));
        assert_eq!(roles(2), BTreeSet::from([Role::Buyer, Role::Seller]));
        assert_eq!(roles(3), BTreeSet::from([Role::Buyer]));
    }

    #[test]
    fn a_number_is_that_of_the_user_once_it_is_verified() {
        let after = |events: usize| {
            let events = samples::all().into_iter().take(events);
            let row = given::<Profile>(events)[&SELLER.0].clone();
            (row.phone.is_some(), row.awaited.is_some())
        };
        let states: Vec<_> = (4..=8).map(after).collect();
        let (awaited, verified) = ((false, true), (true, false));
        let none = (false, false);
        assert_eq!(states, [none, awaited, awaited, verified, none]);
    }

    #[test]
    fn personal_data_stays_sealed() {
        let rows = given::<Profile>(samples::all());
        let row = &rows[&SELLER.0];
        assert_eq!((row.email.subject, row.registered_at), (SELLER, at(1)));
        assert_eq!(row.display_name.ciphertext, "bmFtZQ");
    }
}
