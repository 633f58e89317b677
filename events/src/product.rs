//! Facts about products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AuctionId, CategoryId, Money, ProductId, UserId};

/// The state of the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shipping {
    /// What the buyer pays for it.
    pub price: Money,
    /// ISO 3166-1 alpha-2 codes of the countries it is sent to; none means collection only.
    pub countries: Vec<String>,
}

/// Facts about a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
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
