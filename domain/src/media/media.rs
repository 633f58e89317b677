//! Media: from an upload to the removal of what was stored.

mod error;
mod linking;
mod showing;
mod upload;

#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::media::media::{Event, PictureType, Purpose, ShownBy, StoredVariant, Variant};
use tidemark_events::{MediaId, Moment, Stored, UserId};

pub use error::Error;
pub use linking::LinkMedia;
pub use showing::{Delete, DeleteUnshown, RecordRemoval};
pub(crate) use showing::{Shown, attach, attach_refusals, detach};
pub use upload::{CompleteUpload, ContinueUpload, EndUpload, ExpireUpload, OpenUpload};

use crate::decision::refusals;
use crate::identity::access;
use crate::{AggregateState, Refusal, Stop, View};

/// How long media are kept.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// For how long an upload may go on.
    pub upload: TimeDelta,
    /// For how long media are kept that nothing shows.
    pub unshown: TimeDelta,
    /// For how long the bytes of deleted media are kept.
    pub removal: TimeDelta,
}

/// What is known of an upload that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The user whose file it is.
    pub owner_id: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// Its format, as the user stated it; none if it is to be found out.
    pub picture_type: Option<PictureType>,
    /// How many bytes are to come.
    pub bytes: i64,
    /// The upload must be complete before this.
    pub expires_at: Stored<Moment>,
}

/// What rules know of stored media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The user whose file it is.
    pub owner_id: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// The width of the full picture in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// The bytes of all variants.
    pub bytes: i64,
    /// How many bytes were uploaded.
    pub uploaded_bytes: i64,
    /// What shows it; none if nothing does.
    pub shown_by: Option<ShownBy>,
    /// When it is deleted if nothing shows it by then.
    pub unshown_until: Stored<Moment>,
}

/// The state of media.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Media {
    /// There are no such media.
    #[default]
    None,
    /// Bytes are to come.
    Uploading(Upload),
    /// The file was stored.
    Stored(File),
    /// The upload came to nothing, or the media were deleted. The bytes are still to be removed.
    Over {
        /// The user whose file it was.
        owner_id: UserId,
    },
    /// The bytes were removed, too.
    Removed,
}

impl Media {
    fn end(&mut self, owner_id: UserId) {
        *self = Self::Over { owner_id };
    }
}

impl AggregateState for Media {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 2;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::UploadOpened {
                owner_id,
                purpose,
                picture_type,
                bytes,
                expires_at,
                ..
            } => {
                *self = Self::Uploading(Upload {
                    owner_id: *owner_id,
                    purpose: *purpose,
                    picture_type: *picture_type,
                    bytes: *bytes,
                    expires_at: *expires_at,
                });
            }
            Event::MediaStored {
                owner_id,
                purpose,
                variants,
                unshown_until,
                ..
            } => {
                let uploaded_bytes = match self {
                    Self::Uploading(upload) => upload.bytes,
                    Self::None | Self::Stored(_) | Self::Over { .. } | Self::Removed => 0,
                };
                let full = variants.iter().find(|it| it.variant == Variant::Full);
                *self = Self::Stored(File {
                    owner_id: *owner_id,
                    purpose: *purpose,
                    width: full.map_or(0, |it| it.width),
                    height: full.map_or(0, |it| it.height),
                    bytes: bytes_of(variants),
                    uploaded_bytes,
                    shown_by: None,
                    unshown_until: *unshown_until,
                });
            }
            Event::Attached { shown_by, .. } => {
                if let Self::Stored(file) = self {
                    file.shown_by = Some(*shown_by);
                }
            }
            Event::Detached { unshown_until, .. } => {
                if let Self::Stored(file) = self {
                    file.shown_by = None;
                    file.unshown_until = *unshown_until;
                }
            }
            Event::UploadEnded { owner_id, .. } | Event::Deleted { owner_id, .. } => {
                self.end(*owner_id);
            }
            Event::Removed { .. } => *self = Self::Removed,
        }
    }
}

/// The bytes of all variants.
fn bytes_of(variants: &[StoredVariant]) -> i64 {
    let bytes = variants.iter().map(|it| it.bytes);
    bytes.fold(0, i64::saturating_add)
}

/// The media with this id, if the caller may know of them.
fn find_own<'a>(view: &View<'a>, id: MediaId) -> Result<(UserId, &'a Media), Stop> {
    let user_id = access::user(view)?;
    let media = view.get::<Media>(id.0)?;
    let owner_id = match media {
        Media::Uploading(upload) => &upload.owner_id,
        Media::Over { owner_id } => owner_id,
        Media::Stored(file) => &file.owner_id,
        Media::None | Media::Removed => return Err(Error::NotFound.into()),
    };
    if *owner_id == user_id {
        Ok((user_id, media))
    } else {
        Err(Error::NotFound.into())
    }
}

/// How [`find_own`] refuses.
fn own_refusals() -> Vec<Refusal> {
    [access::user_refusals(), refusals([Error::NotFound])].concat()
}
