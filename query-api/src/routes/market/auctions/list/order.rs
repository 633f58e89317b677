//! The orders of the list, and where a page ends in each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::Money;
use utoipa::ToSchema;
use uuid::Uuid;

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// The auction that ends first comes first.
    #[default]
    EndsAt,
    /// The cheapest auction comes first. A currency is required.
    Price,
    /// The auction with the most bids comes first.
    BidCount,
    /// The auction that was scheduled last comes first.
    Newest,
}

/// Where a page ends: the value that the list is sorted by (a moment in microseconds since 1970), then
/// the id.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct PageEnd {
    pub(super) value: i64,
    pub(super) id: Uuid,
}

impl Sort {
    /// A page end that comes before every auction in this order whose price is at least `price_min`.
    pub(super) fn before_first(self, price_min: Option<i64>) -> PageEnd {
        let value = match self {
            Self::EndsAt => 0,
            Self::Price => price_min.unwrap_or(0),
            Self::BidCount | Self::Newest => i64::MAX,
        };
        let id = match self {
            Self::EndsAt | Self::Price => Uuid::nil(),
            Self::BidCount | Self::Newest => Uuid::max(),
        };
        PageEnd { value, id }
    }

    /// Where a page with this last document ends in this order.
    pub(super) fn page_end(self, json: &str) -> serde_json::Result<PageEnd> {
        #[derive(Deserialize)]
        struct Sorted {
            id: Uuid,
            ends_at: DateTime<Utc>,
            current_price: Money,
            bid_count: i64,
        }
        let sorted: Sorted = serde_json::from_str(json)?;
        let value = match self {
            Self::EndsAt => sorted.ends_at.timestamp_micros(),
            Self::Price => sorted.current_price.amount,
            Self::BidCount => sorted.bid_count,
            Self::Newest => 0,
        };
        Ok(PageEnd {
            value,
            id: sorted.id,
        })
    }
}
