//! Events of products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    AuctionId, CategoryId, CountryCode, EventField, Line, MediaId, Price, Stored, Text, Url, UserId,
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
/// The address of a video of a product.
pub type Video = Url<500>;
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

event_field! {
    /// An uploaded picture of a product or a category, with what is needed to leave room for it on a page.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Picture {
        /// The media.
        pub media_id: MediaId,
        /// Its width in pixels.
        pub width: u32,
        /// Its height in pixels.
        pub height: u32,
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
        /// The seller chose the pictures of the product anew.
        #[serde(rename = "product.pictures_chosen")]
        PicturesChosen {
            /// The product.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The category that the product is filed under.
            category_id: CategoryId,
            /// Pictures that the seller has uploaded, the main picture first: up to 20.
            pictures: Vec<Picture>,
            /// The address of a video; none if there is none.
            video: Option<Stored<Video>>,
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
    use crate::samples::{
        AUCTION, BIDDER, CATEGORY, MEDIA, PRODUCT, SELLER, euro_cents, price, stored,
    };

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
        Event::PicturesChosen {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            pictures: vec![Picture {
                media_id: MEDIA,
                width: 1_200,
                height: 900,
            }],
            video: Some(stored("https://videos.example/1")),
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
