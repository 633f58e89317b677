//! Events of categories.

use crate::{Line, Slug, Stored};

id! {
    /// The id of a category.
    CategoryId
}

/// The name of a category that people see.
pub type Name = Line<100>;

events! {
    /// The events of a category.
    pub enum Event {
        /// The category was created, and is active.
        #[serde(rename = "category.created")]
        Created {
            /// The category.
            category_id: CategoryId,
            /// The category above this one. None if this category is at the top of the tree.
            parent_id: Option<CategoryId>,
            /// The name that people see.
            name: Stored<Name>,
            /// The name in URLs, which no other category has.
            slug: Stored<Slug>,
            /// The place among the categories with the same parent, the lowest first.
            sort_order: i32,
        },
        /// The category is active again: products and categories may be filed under it.
        #[serde(rename = "category.activated")]
        Activated {
            /// The category.
            category_id: CategoryId,
        },
        /// The category is not active any more: nothing new may be filed under it, or under a category below
        /// it. What is there stays.
        #[serde(rename = "category.deactivated")]
        Deactivated {
            /// The category.
            category_id: CategoryId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{CATEGORY, stored};

    vec![
        Event::Created {
            category_id: CATEGORY,
            parent_id: None,
            name: stored("Cameras"),
            slug: stored("cameras"),
            sort_order: 1,
        },
        Event::Deactivated {
            category_id: CATEGORY,
        },
        Event::Activated {
            category_id: CATEGORY,
        },
    ]
}
