//! Facts about products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AuctionId, CategoryId, Money, UserId};

id! {
    /// A product.
    ProductId
}

/// The state of the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Unused, in its packaging.
    New,
    /// Used, without visible wear.
    LikeNew,
    /// Used, with signs of it.
    Good,
    /// Used much, and works.
    Fair,
    /// Does not work.
    ForParts,
}

/// How the product gets to its buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipping {
    /// What the buyer pays for it.
    pub price: Money,
    /// ISO 3166-1 alpha-2 codes of the countries it is sent to; none means collection only.
    pub countries: Vec<String>,
}

events! {
    /// Facts about a product.
    pub enum Event {
        /// A seller described a product; nobody else sees it yet.
        #[serde(rename = "product.drafted")]
        Drafted {
            /// The product.
            product_id: ProductId,
            /// Whose it is.
            seller_id: UserId,
            /// Where it is filed.
            category_id: CategoryId,
            /// One line.
            title: String,
            /// Any number of lines.
            description: String,
            /// Its state.
            condition: Condition,
            /// References to pictures, the main one first.
            images: Vec<String>,
            /// Name and value, such as `weight` and `2 kg`.
            specifications: BTreeMap<String, String>,
            /// How it is sent; none means collection only.
            shipping: Option<Shipping>,
        },
        /// It is offered.
        #[serde(rename = "product.listed")]
        Listed {
            /// The product.
            product_id: ProductId,
            /// Whose it is.
            seller_id: UserId,
            /// Where it is filed.
            category_id: CategoryId,
        },
        /// It is offered no more.
        #[serde(rename = "product.withdrawn")]
        Withdrawn {
            /// The product.
            product_id: ProductId,
            /// Whose it is.
            seller_id: UserId,
            /// Where it is filed.
            category_id: CategoryId,
        },
        /// It belongs to somebody else now.
        #[serde(rename = "product.sold")]
        Sold {
            /// The product.
            product_id: ProductId,
            /// Whose it was.
            seller_id: UserId,
            /// Where it is filed.
            category_id: CategoryId,
            /// The auction that sold it.
            auction_id: AuctionId,
            /// Whose it is.
            buyer_id: UserId,
            /// For how much.
            price: Money,
        },
    }
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, BIDDER, CATEGORY, PRODUCT, SELLER, euro_cents};

    vec![
        Event::Drafted {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            title: "Field camera".to_owned(),
            description: "Large format, 1962.".to_owned(),
            condition: Condition::Good,
            images: vec!["https://images.example/1.jpg".to_owned()],
            specifications: BTreeMap::from([("format".to_owned(), "4x5".to_owned())]),
            shipping: Some(Shipping {
                price: euro_cents(900),
                countries: vec!["DE".to_owned()],
            }),
        },
        Event::Listed {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
        },
        Event::Withdrawn {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
        },
        Event::Sold {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            auction_id: AUCTION,
            buyer_id: BIDDER,
            price: euro_cents(12_000),
        },
    ]
}
