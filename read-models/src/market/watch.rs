//! Watches: a row for each auction that a user watches, as long as they do.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::market::watch_list::Event;
use tidemark_events::{AuctionId, ProductId, UserId, WatchId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// An auction that a user watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Watch)]
pub struct Row {
    /// The id of the watch.
    #[schema(value_type = Uuid)]
    pub id: WatchId,
    /// The user who watches.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// The auction.
    #[schema(value_type = Uuid)]
    pub auction_id: AuctionId,
    /// The product that is or was auctioned.
    #[schema(value_type = Uuid)]
    pub product_id: ProductId,
    /// Since when the user has watched it.
    pub watched_at: DateTime<Utc>,
}

/// The read model whose rows are watches, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Watch;

impl ReadModel for Watch {
    const NAME: &'static str = "watch";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::Types(&["watch_list.added", "watch_list.removed"]);
    const ROW_OF: RowOf = RowOf::Data;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![Column::uuid("user_id", row.user_id.0)]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let id = input.event_of().map(|event| match event {
            Event::Added { watch_id, .. } | Event::Removed { watch_id, .. } => watch_id.0,
        });
        id.into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        match input.event_of() {
            None => row,
            Some(Event::Removed { .. }) => None,
            Some(Event::Added {
                watch_id,
                user_id,
                auction_id,
                product_id,
                ..
            }) => Some(Row {
                id: *watch_id,
                user_id: *user_id,
                auction_id: *auction_id,
                product_id: *product_id,
                watched_at: input.recorded.recorded_at,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::AggregateEvent;
    use tidemark_events::samples::{AUCTION, WATCH, all};

    use super::*;
    use crate::testing::given;

    #[test]
    fn an_auction_is_in_the_list_until_it_is_watched_no_more() {
        let events = all().into_iter();
        let events: Vec<_> = events
            .filter_map(|event| Event::from_event(&event).cloned())
            .collect();
        let rows = given::<Watch>(events.iter().take(1).cloned());
        assert_eq!(rows[&WATCH].auction_id, AUCTION);
        assert!(given::<Watch>(events).is_empty());
    }
}
