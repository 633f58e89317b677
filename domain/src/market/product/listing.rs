//! Listing a product, and withdrawing it.

use tidemark_events::ProductId;
use tidemark_events::market::product::Event;

use super::{Error, Status, find_own, not_auctioned_refusals, own_refusals, require_not_auctioned};
use crate::decision::refusals;
use crate::market::category;
use crate::{Command, Refusal, Stop, View, Write};

/// Lists a drafted product, so that everybody sees it.
#[derive(Clone, Debug)]
pub struct List {
    /// The product to list.
    pub product_id: ProductId,
}

impl Command for List {
    fn name(&self) -> &'static str {
        "list_product"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Listed, Error::Withdrawn, Error::Sold]);
        [own_refusals(), own, category::active_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let product_id = self.product_id;
        let (offer, status) = find_own(view, product_id)?;
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

/// Withdraws a product, for ever. It must not be in an auction.
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// The product to withdraw.
    pub product_id: ProductId,
}

impl Command for Withdraw {
    fn name(&self) -> &'static str {
        "withdraw_product"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Withdrawn, Error::Sold]);
        [own_refusals(), own, not_auctioned_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let product_id = self.product_id;
        let (offer, status) = find_own(view, product_id)?;
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
