//! Categories: the tree that products are filed under.

mod picture;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::Role;
use tidemark_events::market::category::{Event, Name};
use tidemark_events::{CategoryId, MediaId, Slug};

pub use picture::ChoosePicture;

use crate::decision::refusals;
use crate::identity::access;
use crate::{
    AggregateState, Claim, ClaimScope, Code, Command, Reason, Refusal, RefusalKind, Stop, View,
    Write,
};

/// Why a command on a category is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No category has that id.
    #[error("there is no such category")]
    NotFound,
    /// The category or one above it is not active, so nothing new may be filed under it.
    #[error("the category, or one above it, is not active")]
    Inactive,
    /// The new category would be too far down in the tree.
    #[error("the tree of categories has at most {DEPTH_MAX} levels")]
    TooDeep,
    /// The category that is to be activated is active already.
    #[error("the category is active already")]
    Active,
    /// Another category has the slug.
    #[error("another category has this slug")]
    SlugTaken,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Inactive | Self::TooDeep | Self::Active | Self::SlugTaken => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "category_not_found",
                meaning: "No category has this id.",
                what_to_do: "Check the id.",
            },
            Self::Inactive => Code {
                name: "category_inactive",
                meaning: "The category, or one above it, is not active, so that nothing new may be filed under it.",
                what_to_do: "Choose another category, or have an administrator activate it.",
            },
            Self::TooDeep => Code {
                name: "category_too_deep",
                meaning: "The new category would be too far down in the tree.",
                what_to_do: "Choose a parent that is further up.",
            },
            Self::Active => Code {
                name: "category_active",
                meaning: "The category that is to be activated is active.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::SlugTaken => Code {
                name: "slug_taken",
                meaning: "Another category has this slug.",
                what_to_do: "Choose another slug.",
            },
        }
    }
}

/// The state of a category.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Category {
    /// There is no such category.
    #[default]
    None,
    /// An admin has created the category.
    Created {
        /// The category above this one; none at the top of the tree.
        parent_id: Option<CategoryId>,
        /// Whether something new may be filed under the category, as far as it is concerned.
        is_active: bool,
        /// Its picture; none if it has none.
        picture: Option<MediaId>,
    },
}

impl Category {
    const fn set_active(&mut self, active: bool) {
        if let Self::Created { is_active, .. } = self {
            *is_active = active;
        }
    }
}

impl AggregateState for Category {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 3;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created { parent_id, .. } => {
                *self = Self::Created {
                    parent_id: *parent_id,
                    is_active: true,
                    picture: None,
                };
            }
            Event::PictureChosen {
                picture: chosen, ..
            } => {
                if let Self::Created { picture, .. } = self {
                    *picture = chosen.map(|it| it.media_id);
                }
            }
            Event::Activated { .. } => self.set_active(true),
            Event::Deactivated { .. } => self.set_active(false),
        }
    }
}

/// How many levels the tree has. Whoever files something reads all categories above it.
const DEPTH_MAX: u32 = 16;

/// Refuses unless something new may be filed under the category: it and all categories above it are active.
pub(crate) fn require_active(view: &View<'_>, id: CategoryId) -> Result<(), Stop> {
    active_level(view, id)?;
    Ok(())
}

/// How [`require_active`] refuses.
pub(crate) fn active_refusals() -> Vec<Refusal> {
    refusals([Error::NotFound, Error::Inactive])
}

/// On which level of the tree the category is, if something new may be filed under it. Those at the top are
/// on level 1.
///
/// A category never moves, so following the parents comes to an end.
fn active_level(view: &View<'_>, id: CategoryId) -> Result<u32, Stop> {
    let mut level = 0;
    let mut next = Some(id);
    while let Some(id) = next {
        let (parent_id, is_active) = find(view, id)?;
        if !is_active {
            return Err(Error::Inactive.into());
        }
        level += 1;
        next = parent_id;
    }
    Ok(level)
}

/// The category above this one, and whether this one is active.
fn find(view: &View<'_>, id: CategoryId) -> Result<(Option<CategoryId>, bool), Stop> {
    match view.get::<Category>(id.0)? {
        Category::None => Err(Error::NotFound.into()),
        Category::Created {
            parent_id,
            is_active,
            ..
        } => Ok((*parent_id, *is_active)),
    }
}

/// Adds a category to the tree.
#[derive(Clone, Debug)]
pub struct Create {
    /// The id of the new category.
    pub category_id: CategoryId,
    /// The category above the new one; none at the top of the tree.
    pub parent_id: Option<CategoryId>,
    /// The name that people see.
    pub name: Name,
    /// The name in URLs, which no other category has.
    pub slug: Slug,
    /// The place among the categories with the same parent, the lowest first.
    pub sort_order: i32,
}

impl Command for Create {
    fn name(&self) -> &'static str {
        "create_category"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::TooDeep, Error::SlugTaken]);
        [access::role_refusals(Role::Admin), own, active_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require(view, Role::Admin)?;
        if let Some(parent_id) = self.parent_id
            && active_level(view, parent_id).map_err(|stop| stop.about("parent_id"))? >= DEPTH_MAX
        {
            return Err(Error::TooDeep.into());
        }
        let slug = Claim::new(ClaimScope::CategorySlug, self.slug.as_str());
        if view.owner(&slug)?.is_some() {
            return Err(Error::SlugTaken.into());
        }
        Ok(vec![
            Write::event(
                self.category_id.0,
                Event::Created {
                    category_id: self.category_id,
                    parent_id: self.parent_id,
                    name: self.name.clone().into(),
                    slug: self.slug.clone().into(),
                    sort_order: self.sort_order,
                },
            ),
            Write::Claim(slug, self.category_id.0),
        ])
    }
}

/// Activates a category, so that something new may be filed under it again.
#[derive(Clone, Debug)]
pub struct Activate {
    /// The category to activate.
    pub category_id: CategoryId,
}

impl Command for Activate {
    fn name(&self) -> &'static str {
        "activate_category"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Active]);
        [access::role_refusals(Role::Admin), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let category_id = self.category_id;
        access::require(view, Role::Admin)?;
        let (_, is_active) = find(view, category_id)?;
        if is_active {
            return Err(Error::Active.into());
        }
        Ok(vec![Write::event(
            category_id.0,
            Event::Activated { category_id },
        )])
    }
}

/// Deactivates a category, so that nothing new may be filed under it. What is there stays.
#[derive(Clone, Debug)]
pub struct Deactivate {
    /// The category to deactivate.
    pub category_id: CategoryId,
}

impl Command for Deactivate {
    fn name(&self) -> &'static str {
        "deactivate_category"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Inactive]);
        [access::role_refusals(Role::Admin), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let category_id = self.category_id;
        access::require(view, Role::Admin)?;
        let (_, is_active) = find(view, category_id)?;
        if !is_active {
            return Err(Error::Inactive.into());
        }
        Ok(vec![Write::event(
            category_id.0,
            Event::Deactivated { category_id },
        )])
    }
}
