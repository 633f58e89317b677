//! Facts about categories.

use serde::{Deserialize, Serialize};

use crate::CategoryId;

/// Facts about a category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A category came to be, active.
    #[serde(rename = "category.created")]
    Created {
        /// The category.
        category_id: CategoryId,
        /// The one above it; none at the top.
        parent_id: Option<CategoryId>,
        /// For people.
        name: String,
        /// For addresses; unique.
        slug: String,
        /// Among its siblings, lowest first.
        sort_order: i32,
    },
    /// Products may be filed under it again.
    #[serde(rename = "category.activated")]
    Activated {
        /// The category.
        category_id: CategoryId,
    },
    /// No new product may be filed under it.
    #[serde(rename = "category.deactivated")]
    Deactivated {
        /// The category.
        category_id: CategoryId,
    },
}
