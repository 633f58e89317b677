//! Describing a product.

use std::collections::BTreeMap;

use tidemark_events::identity::user::Role;
use tidemark_events::market::product::{
    Condition, Description, Event, Image, Shipping, Specification, Title,
};
use tidemark_events::{CategoryId, ProductId, Stored};
use uuid::Uuid;

use crate::identity::access;
use crate::market::{category, product};
use crate::{Claim, Command, Refusal, Stop, View, Write};

/// Describes a new product, which only its seller sees until it is listed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The id of the new product.
    pub product_id: ProductId,
    /// The category that the product is filed under, which must be active.
    pub category_id: CategoryId,
    /// The title.
    pub title: Title,
    /// The description.
    pub description: Description,
    /// How used the product is.
    pub condition: Condition,
    /// References to pictures, the main picture first.
    pub images: Vec<Image>,
    /// Properties by name, such as `weight` with the value `2 kg`.
    pub specifications: BTreeMap<Specification, Specification>,
    /// How the product is sent; none if buyers must collect it.
    pub shipping: Option<Shipping>,
}

impl Command for Draft {
    fn name(&self) -> &'static str {
        "draft_product"
    }

    fn roots(&self) -> Vec<Uuid> {
        vec![self.category_id.0]
    }

    fn unowned(&self) -> Vec<Claim> {
        vec![product::auction_claim(self.product_id)]
    }

    fn refusals() -> Vec<Refusal> {
        let role = access::role_refusals(Role::Seller);
        [role, category::active_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let seller_id = access::require(view, Role::Seller)?;
        category::require_active(view, self.category_id)
            .map_err(|stop| stop.about("category_id"))?;
        let specifications = self.specifications.clone().into_iter();
        Ok(vec![Write::event(
            self.product_id.0,
            Event::Drafted {
                product_id: self.product_id,
                seller_id,
                category_id: self.category_id,
                title: self.title.clone().into(),
                description: self.description.clone().into(),
                condition: self.condition,
                images: self.images.iter().cloned().map(Stored::from).collect(),
                specifications: specifications
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
                shipping: self.shipping.clone(),
            },
        )])
    }
}
