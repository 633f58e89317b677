//! Events of hidden reserves. They are internal: no public event, document or live update holds the amount.

use crate::{AuctionId, Price, ProductId, Stored, UserId};

id! {
    /// The id of an auction's hidden reserve.
    ReserveId
}

events! {
    /// The events of a reserve.
    pub enum Event {
        /// The seller set the reserve when scheduling the auction.
        #[serde(rename = "reserve.set")]
        Set {
            /// The reserve.
            reserve_id: ReserveId,
            /// The auction that the reserve belongs to.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The lowest price at which the auction sells.
            amount: Stored<Price>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, PRODUCT, RESERVE, SELLER, euro_cents};

    vec![Event::Set {
        reserve_id: RESERVE,
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
        amount: euro_cents(11_000).into(),
    }]
}
