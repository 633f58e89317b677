//! Describing a product.

use std::collections::BTreeMap;

use tidemark_events::identity::user::Role;
use tidemark_events::market::product::{Condition, Event, Shipping};
use tidemark_events::{CategoryId, ProductId};

use crate::identity::access;
use crate::market::category;
use crate::{Command, Stop, View, Write};

/// Describes a new product, which only its seller sees until it is listed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The id of the new product.
    pub product_id: ProductId,
    /// The category that the product is filed under, which must be active.
    pub category_id: CategoryId,
    /// The title, one line.
    pub title: String,
    /// The description, any number of lines.
    pub description: String,
    /// How used the product is.
    pub condition: Condition,
    /// URLs of pictures, the main picture first.
    pub images: Vec<String>,
    /// Properties by name, such as `weight` with the value `2 kg`.
    pub specifications: BTreeMap<String, String>,
    /// How the product is sent; none if buyers must collect it.
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
