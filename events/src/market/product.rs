//! Events of products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    AuctionId, CategoryId, CountryCode, EventField, Line, Price, Stored, Text, Url, UserId,
};

id! {
    /// The id of a product.
    ProductId
}

/// The title of a product.
pub type Title = Line<200>;
/// The description of a product.
pub type Description = Text<10_000>;
/// The address of a picture of a product.
pub type Image = Url<500>;
/// The name or the value of a property of a product.
pub type Specification = Line<200>;
/// The price of shipping, which may be nothing.
pub type ShippingPrice = Price<0>;

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

impl EventField for Condition {}

event_field! {
    /// How a product gets to its buyer.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Shipping {
        /// The price that the buyer pays for the shipping.
        pub price: Stored<ShippingPrice>,
        /// The countries that the product is sent to. If there are none, the buyer must collect it.
        pub countries: Vec<Stored<CountryCode>>,
    }
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
            /// The title.
            title: Stored<Title>,
            /// The description, which may be empty.
            description: Stored<Description>,
            /// How used the product is.
            condition: Condition,
            /// The addresses of pictures, the main picture first: up to 20.
            images: Vec<Stored<Image>>,
            /// Properties by name, such as `weight` with the value `2 kg`: up to 50.
            specifications: BTreeMap<Stored<Specification>, Stored<Specification>>,
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
            price: Stored<Price>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, BIDDER, CATEGORY, PRODUCT, SELLER, euro_cents, price, stored};

    vec![
        Event::Drafted {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            title: stored("Field camera"),
            description: stored("Large format, 1962."),
            condition: Condition::Good,
            images: vec![stored("https://images.example/1.jpg")],
            specifications: BTreeMap::from([(stored("format"), stored("4x5"))]),
            shipping: Some(Shipping {
                price: price::<0>(900).into(),
                countries: vec![stored("DE")],
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
            price: euro_cents(12_000).into(),
        },
    ]
}
