//! Facts about hidden reserves. Internal: no public fact, document or live update holds the amount.

use serde::{Deserialize, Serialize};

use crate::{AuctionId, Money, ProductId, ReserveId, UserId};

/// Facts about a reserve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The seller set it, with the auction.
    #[serde(rename = "reserve.set")]
    Set {
        /// The reserve.
        reserve_id: ReserveId,
        /// The auction it guards.
        auction_id: AuctionId,
        /// What is sold.
        product_id: ProductId,
        /// Who sells.
        seller_id: UserId,
        /// The least that sells.
        amount: Money,
    },
}
