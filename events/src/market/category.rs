//! Facts about categories.

id! {
    /// A category.
    CategoryId
}

events! {
    /// Facts about a category.
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
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::CATEGORY;

    vec![
        Event::Created {
            category_id: CATEGORY,
            parent_id: None,
            name: "Cameras".to_owned(),
            slug: "cameras".to_owned(),
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
