//! The picture of a category, which an admin chooses.

use tidemark_events::identity::user::Role;
use tidemark_events::market::category::Event;
use tidemark_events::market::product::Picture;
use tidemark_events::media::media::{Purpose, ShownBy};
use tidemark_events::{CategoryId, MediaId};

use super::{Category, Error};
use crate::decision::refusals;
use crate::identity::access;
use crate::media::media;
use crate::media::media::{Periods, Shown};
use crate::{Command, Refusal, Stop, View, Write};

/// Chooses the picture of a category, in place of the one that it has.
#[derive(Clone, Debug)]
pub struct ChoosePicture {
    /// The category.
    pub category_id: CategoryId,
    /// A picture that the admin has uploaded; none if the category is to have none.
    pub picture: Option<MediaId>,
    /// How long a picture is kept that nothing shows any more.
    pub periods: Periods,
}

impl Command for ChoosePicture {
    fn name(&self) -> &'static str {
        "choose_category_picture"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound]);
        [
            access::role_refusals(Role::Admin),
            own,
            media::attach_refusals(),
        ]
        .concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let category_id = self.category_id;
        let admin_id = access::require(view, Role::Admin)?;
        let Category::Created { picture: shown, .. } = view.get::<Category>(category_id.0)? else {
            return Err(Error::NotFound.into());
        };
        // It may be one that another admin has uploaded.
        if *shown == self.picture {
            return Ok(Vec::new());
        }
        let shown_by = ShownBy::Category { id: category_id.0 };
        let mut writes = Vec::new();
        if let Some(shown) = *shown {
            writes.extend(media::detach(view, shown, shown_by, self.periods)?);
        }
        let mut picture = None;
        if let Some(media_id) = self.picture {
            let purpose = Purpose::CategoryPicture;
            let Shown {
                width,
                height,
                write,
            } = media::attach(view, media_id, admin_id, purpose, shown_by)
                .map_err(|stop| stop.about("picture"))?;
            writes.extend(write);
            picture = Some(Picture {
                media_id,
                width,
                height,
            });
        }
        let event = Event::PictureChosen {
            category_id,
            picture,
        };
        writes.push(Write::event(category_id.0, event));
        Ok(writes)
    }
}
