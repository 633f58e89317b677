//! Products: from a seller's draft to somebody else's property. Prices are `auction`'s.

mod error;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::Role;
use tidemark_events::market::product::{Condition, Event, Shipping};
use tidemark_events::{AuctionId, CategoryId, Money, ProductId, UserId};

pub use error::Error;

use crate::identity::access;
use crate::market::category;
use crate::{AggregateState, Claim, ClaimScope, Command, Stop, View, Write};

/// What the rules know of a product, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Whose it is.
    pub seller_id: UserId,
    /// Where it is filed.
    pub category_id: CategoryId,
    /// One line; auctions show it.
    pub title: String,
}

/// How far a product has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Its seller alone sees it.
    Draft,
    /// It is offered.
    Listed,
    /// It is offered no more.
    Withdrawn,
    /// It belongs to somebody else.
    Sold,
}

/// A product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Product {
    /// There is none.
    #[default]
    None,
    /// A seller described it.
    Described {
        /// What it is.
        offer: Offer,
        /// How far it has come.
        status: Status,
    },
}

impl Product {
    fn reach(&mut self, reached: Status) {
        if let Self::Described { status, .. } = self {
            *status = reached;
        }
    }
}

impl AggregateState for Product {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Drafted {
                seller_id,
                category_id,
                title,
                ..
            } => {
                *self = Self::Described {
                    offer: Offer {
                        seller_id: *seller_id,
                        category_id: *category_id,
                        title: title.clone(),
                    },
                    status: Status::Draft,
                };
            }
            Event::Listed { .. } => self.reach(Status::Listed),
            Event::Withdrawn { .. } => self.reach(Status::Withdrawn),
            Event::Sold { .. } => self.reach(Status::Sold),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Described { offer, .. } => offer.title.len(),
        }
    }
}

fn find<'a>(view: &View<'a>, id: ProductId) -> Result<(&'a Offer, Status), Stop> {
    match view.get::<Product>(id.0)? {
        Product::None => Err(Error::NotFound.into()),
        Product::Described { offer, status } => Ok((offer, *status)),
    }
}

/// A product of the seller who asks.
fn own<'a>(view: &View<'a>, id: ProductId) -> Result<(&'a Offer, Status), Stop> {
    let seller_id = access::require(view, Role::Seller)?;
    let (offer, status) = find(view, id)?;
    if offer.seller_id == seller_id {
        Ok((offer, status))
    } else {
        Err(Error::NotTheSeller.into())
    }
}

/// What is offered, if the product is listed and of the seller who asks.
pub(crate) fn own_listed<'a>(view: &View<'a>, id: ProductId) -> Result<&'a Offer, Stop> {
    let (offer, status) = own(view, id)?;
    match status {
        Status::Listed => Ok(offer),
        Status::Draft => Err(Error::NotListed.into()),
        Status::Withdrawn => Err(Error::Withdrawn.into()),
        Status::Sold => Err(Error::Sold.into()),
    }
}

/// The claim that a product's auction holds until it is over.
pub(crate) fn auctioned(id: ProductId) -> Claim {
    Claim::new(ClaimScope::AuctionedProduct, id)
}

/// Goes on only if no auction holds the product.
pub(crate) fn require_not_auctioned(view: &View<'_>, id: ProductId) -> Result<(), Stop> {
    match view.owner(&auctioned(id))? {
        None => Ok(()),
        Some(_) => Err(Error::Auctioned.into()),
    }
}

/// The fact that an auction sold the product.
pub(crate) fn sold(
    view: &View<'_>,
    product_id: ProductId,
    auction_id: AuctionId,
    buyer_id: UserId,
    price: Money,
) -> Result<Write, Stop> {
    let (offer, _) = find(view, product_id)?;
    Ok(Write::event(
        product_id.0,
        Event::Sold {
            product_id,
            seller_id: offer.seller_id,
            category_id: offer.category_id,
            auction_id,
            buyer_id,
            price,
        },
    ))
}

/// Describes a product that nobody else sees yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The new product.
    pub product_id: ProductId,
    /// Where it is filed.
    pub category_id: CategoryId,
    /// One line.
    pub title: String,
    /// Any number of lines.
    pub description: String,
    /// Its state.
    pub condition: Condition,
    /// References to pictures, the main one first.
    pub images: Vec<String>,
    /// Name and value.
    pub specifications: BTreeMap<String, String>,
    /// How it is sent; none means collection only.
    pub shipping: Option<Shipping>,
}

impl Command for Draft {
    fn name(&self) -> &'static str {
        "draft_product"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let seller_id = access::require(view, Role::Seller)?;
        category::require_active(view, self.category_id)?;
        Ok(vec![Write::event(
            self.product_id.0,
            Event::Drafted {
                product_id: self.product_id,
                seller_id,
                category_id: self.category_id,
                title: self.title.clone(),
                description: self.description.clone(),
                condition: self.condition,
                images: self.images.clone(),
                specifications: self.specifications.clone(),
                shipping: self.shipping.clone(),
            },
        )])
    }
}

/// Offers a drafted product.
#[derive(Clone, Debug)]
pub struct List {
    /// Which.
    pub product_id: ProductId,
}

impl Command for List {
    fn name(&self) -> &'static str {
        "list_product"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let product_id = self.product_id;
        let (offer, status) = own(view, product_id)?;
        match status {
            Status::Draft => category::require_active(view, offer.category_id)?,
            Status::Listed => return Err(Error::Listed.into()),
            Status::Withdrawn => return Err(Error::Withdrawn.into()),
            Status::Sold => return Err(Error::Sold.into()),
        }
        Ok(vec![Write::event(
            product_id.0,
            Event::Listed {
                product_id,
                seller_id: offer.seller_id,
                category_id: offer.category_id,
            },
        )])
    }
}

/// Takes a product back, for ever.
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// Which.
    pub product_id: ProductId,
}

impl Command for Withdraw {
    fn name(&self) -> &'static str {
        "withdraw_product"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let product_id = self.product_id;
        let (offer, status) = own(view, product_id)?;
        match status {
            Status::Draft | Status::Listed => require_not_auctioned(view, product_id)?,
            Status::Withdrawn => return Err(Error::Withdrawn.into()),
            Status::Sold => return Err(Error::Sold.into()),
        }
        Ok(vec![Write::event(
            product_id.0,
            Event::Withdrawn {
                product_id,
                seller_id: offer.seller_id,
                category_id: offer.category_id,
            },
        )])
    }
}
