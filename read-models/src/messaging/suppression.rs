//! Addresses that nothing is sent to, or was not until lately, each under the id of its contact point. An address that was
//! released has no row.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::contact_point::{Event, Reason, Scope};
use tidemark_events::{ContactPointId, KeyedHash, MessageId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// What is not sent to an address, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SuppressionCause)]
pub struct Cause {
    /// Which messages are not sent.
    pub scope: Scope,
    /// Why.
    pub reason: Reason,
    /// The message that gave rise to it.
    #[schema(value_type = Uuid)]
    pub message_id: MessageId,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when. None if that has no end but a release.
    pub until: Option<DateTime<Utc>>,
}

/// An address that nothing is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Suppression)]
pub struct Row {
    /// The id of the contact point.
    #[schema(value_type = Uuid)]
    pub id: ContactPointId,
    /// The keyed hash of the address, by which others can be told from it.
    #[schema(
        value_type = String,
        example = "8720b056a2bdf508e6185b09fd39ac562a48504de456d0f57578b844e0cd5fd0"
    )]
    pub address_hash: KeyedHash,
    /// What is not sent: one of each scope, which may be over.
    pub causes: Vec<Cause>,
    /// The version of the contact point: the number of its changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are suppressions.
#[derive(Clone, Copy, Debug)]
pub struct Suppression;

impl ReadModel for Suppression {
    const NAME: &'static str = "suppression";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter =
        EventFilter::Types(&["contact_point.suppressed", "contact_point.released"]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![Column::hash("address_hash", &row.address_hash)]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let id = match input.event_of() {
            Some(
                Event::Suppressed {
                    contact_point_id, ..
                }
                | Event::Released {
                    contact_point_id, ..
                },
            ) => Some(contact_point_id.0),
            Some(Event::SoftBounced { .. }) | None => None,
        };
        id.into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        match input.event_of() {
            Some(Event::Suppressed {
                contact_point_id,
                address_hash,
                message_id,
                scope,
                reason,
                until,
            }) => {
                let before = row.into_iter().flat_map(|row| row.causes);
                let mut causes: Vec<_> = before.filter(|it| it.scope != *scope).collect();
                causes.push(Cause {
                    scope: *scope,
                    reason: *reason,
                    message_id: *message_id,
                    since: input.recorded.recorded_at,
                    until: until.map(|until| *until),
                });
                Some(Row {
                    id: *contact_point_id,
                    address_hash: address_hash.clone(),
                    causes,
                    version: input.recorded.version,
                })
            }
            Some(Event::Released { .. }) => None,
            Some(Event::SoftBounced { .. }) | None => row,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::AggregateEvent;
    use tidemark_events::samples::{CONTACT_POINT, all};

    use super::*;
    use crate::testing::given;

    #[test]
    fn an_address_is_listed_until_it_is_released() {
        let events = all().into_iter();
        let events = events.filter_map(|event| Event::from_event(&event).cloned());
        let events: Vec<_> = events.collect();
        let listed = |number| {
            let rows = given::<Suppression>(events.iter().take(number).cloned());
            rows.get(&CONTACT_POINT.0).map(|row| row.causes.len())
        };
        assert_eq!(
            (1..=3).map(listed).collect::<Vec<_>>(),
            [None, Some(1), None]
        );
    }
}
