//! Events of categories.

use super::product::Picture;
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
        /// An admin chose another picture for the category, or took its picture away.
        #[serde(rename = "category.picture_chosen")]
        PictureChosen {
            /// The category.
            category_id: CategoryId,
            /// The picture; none if it has none from now on.
            picture: Option<Picture>,
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
    use crate::samples::{CATEGORY, MEDIA, stored};

    vec![
        Event::Created {
            category_id: CATEGORY,
            parent_id: None,
            name: stored("Cameras"),
            slug: stored("cameras"),
            sort_order: 1,
        },
        Event::PictureChosen {
            category_id: CATEGORY,
            picture: Some(Picture {
                media_id: MEDIA,
                width: 1_200,
                height: 900,
            }),
        },
        Event::Deactivated {
            category_id: CATEGORY,
        },
        Event::Activated {
            category_id: CATEGORY,
        },
    ]
}
