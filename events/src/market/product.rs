//! Events of products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AuctionId, CategoryId, Line, Money, Text, UserId};

id! {
    /// The id of a product.
    ProductId
}

/// The title of a product.
pub type Title = Line<200>;
/// The description of a product.
pub type Description = Text<10_000>;
/// A reference to a picture of a product, such as a URL.
pub type Image = Line<500>;
/// The name or the value of a property of a product.
pub type Specification = Line<200>;

/// How used a product is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The product is unused and in its packaging.
    New,
    /// The product was used and shows no wear.
    LikeNew,
    /// The product was used and shows some wear.
    Good,
    /// The product was used much and works.
    Fair,
    /// The product does not work.
    ForParts,
}

/// How a product gets to its buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipping {
    /// The price that the buyer pays for the shipping.
    pub price: Money,
    /// The countries that the product is sent to, each a [`CountryCode`](crate::CountryCode). If there are none,
    /// the buyer must collect it.
    pub countries: Vec<String>,
}

events! {
    /// The events of a product.
    pub enum Event {
        /// A seller described the product, and nobody else sees it yet.
        #[serde(rename = "product.drafted")]
        Drafted {
            /// The product.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The category that the product is filed under.
            category_id: CategoryId,
            /// The [`Title`].
            title: String,
            /// The [`Description`], which may be empty.
            description: String,
            /// How used the product is.
            condition: Condition,
            /// References to pictures, the main picture first: up to 20 of type [`Image`].
            images: Vec<String>,
            /// Properties by name, such as `weight` with the value `2 kg`: up to 50, with names and values of
            /// type [`Specification`].
            specifications: BTreeMap<String, String>,
            /// How the product is sent. None if the buyer must collect it.
            shipping: Option<Shipping>,
        },
        /// The seller listed the product, and everybody sees it.
        #[serde(rename = "product.listed")]
        Listed {
            /// The product.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The category that the product is filed under.
            category_id: CategoryId,
        },
        /// The seller withdrew the product, for ever.
        #[serde(rename = "product.withdrawn")]
        Withdrawn {
            /// The product.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The category that the product is filed under.
            category_id: CategoryId,
        },
        /// An auction sold the product, for ever.
        #[serde(rename = "product.sold")]
        Sold {
            /// The product.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The category that the product is filed under.
            category_id: CategoryId,
            /// The auction that sold the product.
            auction_id: AuctionId,
            /// The user who bought the product.
            buyer_id: UserId,
            /// The price that the buyer pays, without shipping.
            price: Money,
        },
    }
}

/// A sample of each event.
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
