//! The pictures that a seller chooses for a product.

use std::collections::BTreeSet;

use tidemark_events::market::product::{Event, Picture, Video};
use tidemark_events::media::media::{Purpose, ShownBy};
use tidemark_events::{MediaId, ProductId, Stored};

use super::{Error, Status, find_own, own_refusals};
use crate::decision::refusals;
use crate::media::media;
use crate::media::media::{Periods, Shown};
use crate::{Command, Refusal, Stop, View, Write};

/// Chooses the pictures and the video of a product anew, in place of those that it shows. Of one that was withdrawn or sold, they can
/// only be taken away.
#[derive(Clone, Debug)]
pub struct ChoosePictures {
    /// The product.
    pub product_id: ProductId,
    /// Pictures that the seller has uploaded, each once, the main picture first.
    pub pictures: Vec<MediaId>,
    /// The address of a video; none if there is none.
    pub video: Option<Video>,
    /// How long pictures are kept that nothing shows any more.
    pub periods: Periods,
}

impl Command for ChoosePictures {
    fn name(&self) -> &'static str {
        "choose_product_pictures"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Withdrawn, Error::Sold]);
        [own_refusals(), own, media::attach_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let product_id = self.product_id;
        let (offer, status) = find_own(view, product_id)?;
        let chosen: BTreeSet<_> = self.pictures.iter().copied().collect();
        let only_takes_away = chosen.is_subset(&offer.pictures) && self.video.is_none();
        match status {
            Status::Withdrawn if !only_takes_away => return Err(Error::Withdrawn.into()),
            Status::Sold if !only_takes_away => return Err(Error::Sold.into()),
            Status::Draft | Status::Listed | Status::Withdrawn | Status::Sold => {}
        }
        let shown_by = ShownBy::Product { id: product_id.0 };
        let mut writes = Vec::new();
        for media_id in offer.pictures.difference(&chosen) {
            writes.extend(media::detach(view, *media_id, shown_by, self.periods)?);
        }
        let mut pictures = Vec::new();
        for media_id in &self.pictures {
            let seller_id = offer.seller_id;
            let purpose = Purpose::ProductPicture;
            let Shown {
                width,
                height,
                write,
            } = media::attach(view, *media_id, seller_id, purpose, shown_by)
                .map_err(|stop| stop.about("pictures"))?;
            writes.extend(write);
            pictures.push(Picture {
                media_id: *media_id,
                width,
                height,
            });
        }
        let event = Event::PicturesChosen {
            product_id,
            seller_id: offer.seller_id,
            category_id: offer.category_id,
            pictures,
            video: self.video.clone().map(Stored::from),
        };
        writes.push(Write::event(product_id.0, event));
        Ok(writes)
    }
}
