//! Links by which owners have others see media that nothing shows.

use tidemark_events::MediaId;

use super::{Error, Media, find_own, own_refusals};
use crate::decision::refusals;
use crate::{Command, Refusal, Stop, View, Write};

/// Lets the user who sends the command link to media of theirs. Nothing is put on record: a link says itself until when it is good.
#[derive(Clone, Debug)]
pub struct LinkMedia {
    /// The media.
    pub media_id: MediaId,
}

impl Command for LinkMedia {
    fn name(&self) -> &'static str {
        "link_media"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::NotStored])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        match find_own(view, self.media_id)? {
            (_, Media::Stored(_)) => Ok(Vec::new()),
            (_, Media::None | Media::Uploading(_) | Media::Over { .. } | Media::Removed) => {
                Err(Error::NotStored.into())
            }
        }
    }
}
