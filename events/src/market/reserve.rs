//! Facts about hidden reserves. Internal: no public fact, document or live update holds the amount.

use crate::{AuctionId, Money, ProductId, UserId};

id! {
    /// An auction's hidden reserve.
    ReserveId
}

events! {
    /// Facts about a reserve.
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
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, PRODUCT, RESERVE, SELLER, euro_cents};

    vec![Event::Set {
        reserve_id: RESERVE,
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
        amount: euro_cents(11_000),
    }]
}
