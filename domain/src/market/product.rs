//! Products: from a seller's draft to the sale. Prices are the business of `auction`.

mod draft;
mod error;
mod listing;
mod pictures;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::Role;
use tidemark_events::market::product::{Event, Title};
use tidemark_events::{AuctionId, CategoryId, MediaId, Price, ProductId, Stored, UserId};

pub use draft::Draft;
pub use error::Error;
pub use listing::{List, Withdraw};
pub use pictures::ChoosePictures;

use crate::decision::refusals;
use crate::identity::access;
use crate::{AggregateState, Claim, ClaimScope, Refusal, Stop, View, Write};

/// What rules know of a product, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The seller who described the product.
    pub seller_id: UserId,
    /// The category that the product is filed under.
    pub category_id: CategoryId,
    /// The title, one line, which auctions show.
    pub title: Stored<Title>,
    /// The uploaded pictures.
    pub pictures: BTreeSet<MediaId>,
}

/// Where a product is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Only the seller sees the product.
    Draft,
    /// Everybody sees the product.
    Listed,
    /// The seller has withdrawn the product, for ever.
    Withdrawn,
    /// An auction has sold the product, for ever.
    Sold,
}

/// The state of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Product {
    /// There is no such product.
    #[default]
    None,
    /// A seller has described the product.
    Described {
        /// What was described.
        offer: Offer,
        /// Where the product is in its life.
        status: Status,
    },
}

impl Product {
    fn set_status(&mut self, new: Status) {
        if let Self::Described { status, .. } = self {
            *status = new;
        }
    }
}

impl AggregateState for Product {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 2;

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
                        pictures: BTreeSet::new(),
                    },
                    status: Status::Draft,
                };
            }
            Event::PicturesChosen { pictures, .. } => {
                if let Self::Described { offer, .. } = self {
                    offer.pictures = pictures.iter().map(|it| it.media_id).collect();
                }
            }
            Event::Listed { .. } => self.set_status(Status::Listed),
            Event::Withdrawn { .. } => self.set_status(Status::Withdrawn),
            Event::Sold { .. } => self.set_status(Status::Sold),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Described { offer, .. } => {
                offer.title.len() + offer.pictures.len() * size_of::<MediaId>()
            }
        }
    }
}

fn find<'a>(view: &View<'a>, id: ProductId) -> Result<(&'a Offer, Status), Stop> {
    match view.get::<Product>(id.0)? {
        Product::None => Err(Error::NotFound.into()),
        Product::Described { offer, status } => Ok((offer, *status)),
    }
}

/// The product, if it is the caller's own.
fn find_own<'a>(view: &View<'a>, id: ProductId) -> Result<(&'a Offer, Status), Stop> {
    let seller_id = access::require(view, Role::Seller)?;
    let (offer, status) = find(view, id)?;
    if offer.seller_id == seller_id {
        Ok((offer, status))
    } else {
        Err(Error::NotTheSeller.into())
    }
}

/// How [`find_own`] refuses.
fn own_refusals() -> Vec<Refusal> {
    let own = refusals([Error::NotFound, Error::NotTheSeller]);
    [access::role_refusals(Role::Seller), own].concat()
}

/// What is offered, if the product is listed and the caller's own.
pub(crate) fn require_own_listed<'a>(view: &View<'a>, id: ProductId) -> Result<&'a Offer, Stop> {
    let (offer, status) = find_own(view, id)?;
    match status {
        Status::Listed => Ok(offer),
        Status::Draft => Err(Error::NotListed.into()),
        Status::Withdrawn => Err(Error::Withdrawn.into()),
        Status::Sold => Err(Error::Sold.into()),
    }
}

/// How [`require_own_listed`] refuses.
pub(crate) fn own_listed_refusals() -> Vec<Refusal> {
    let unlisted = refusals([Error::NotListed, Error::Withdrawn, Error::Sold]);
    [own_refusals(), unlisted].concat()
}

/// The claim on the product that its auction holds until the auction is over.
pub(crate) fn auction_claim(id: ProductId) -> Claim {
    Claim::new(ClaimScope::AuctionedProduct, id)
}

/// The write that releases the product from its auction. The claim is read first, so that a command that
/// takes it in the same batch rests on the same owner.
pub(crate) fn release(view: &View<'_>, id: ProductId) -> Result<Write, Stop> {
    let claim = auction_claim(id);
    view.owner(&claim)?;
    Ok(Write::Release(claim))
}

/// Refuses if the product is in an auction that is not over.
pub(crate) fn require_not_auctioned(view: &View<'_>, id: ProductId) -> Result<(), Stop> {
    match view.owner(&auction_claim(id))? {
        None => Ok(()),
        Some(_) => Err(Error::Auctioned.into()),
    }
}

/// How [`require_not_auctioned`] refuses.
pub(crate) fn not_auctioned_refusals() -> Vec<Refusal> {
    refusals([Error::Auctioned])
}

/// The write that says that an auction sold the product.
pub(crate) fn sale(
    view: &View<'_>,
    product_id: ProductId,
    auction_id: AuctionId,
    buyer_id: UserId,
    price: Stored<Price>,
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
