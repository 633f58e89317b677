//! What shows media, and what becomes of media that nothing shows.

use tidemark_events::media::media::{Event, Purpose, ShownBy};
use tidemark_events::{MediaId, Moment, Timestamp, UserId};
use uuid::Uuid;

use super::{Error, File, Media, Periods, Upload, find_own, own_refusals};
use crate::decision::refusals;
use crate::identity::access;
use crate::media::media_account;
use crate::{Command, Refusal, Stop, View, Write};

/// Media from now on shown by something, and the write that says so.
pub(crate) struct Shown {
    /// The width of the picture in pixels.
    pub(crate) width: u32,
    /// Its height.
    pub(crate) height: u32,
    /// None if the same thing shows them already.
    pub(crate) write: Option<Write>,
}

/// Has something show media that its user has uploaded for it.
pub(crate) fn attach(
    view: &View<'_>,
    media_id: MediaId,
    owner_id: UserId,
    purpose: Purpose,
    shown_by: ShownBy,
) -> Result<Shown, Stop> {
    let file = match view.get::<Media>(media_id.0)? {
        Media::Stored(file) if file.owner_id == owner_id => file,
        Media::Uploading(Upload { owner_id: it, .. }) | Media::Over { owner_id: it }
            if *it == owner_id =>
        {
            return Err(Error::NotStored.into());
        }
        Media::None
        | Media::Uploading(_)
        | Media::Stored(_)
        | Media::Over { .. }
        | Media::Removed => return Err(Error::NotFound.into()),
    };
    if file.purpose != purpose {
        return Err(Error::OtherPurpose.into());
    }
    let write = match file.shown_by {
        Some(other) if other != shown_by => return Err(Error::Shown(other).into()),
        Some(_) => None,
        None => Some(Write::event(
            media_id.0,
            Event::Attached {
                media_id,
                owner_id,
                shown_by,
            },
        )),
    };
    Ok(Shown {
        width: file.width,
        height: file.height,
        write,
    })
}

/// That something shows media, whatever it is.
const SHOWN: Error = Error::Shown(ShownBy::Product { id: Uuid::nil() });

/// How [`attach`] refuses.
pub(crate) fn attach_refusals() -> Vec<Refusal> {
    refusals([
        Error::NotFound,
        Error::NotStored,
        Error::OtherPurpose,
        SHOWN,
    ])
}

/// The write by which something shows media no longer.
pub(crate) fn detach(
    view: &View<'_>,
    media_id: MediaId,
    shown_by: ShownBy,
    periods: Periods,
) -> Result<Option<Write>, Stop> {
    let Media::Stored(file) = view.get::<Media>(media_id.0)? else {
        return Ok(None);
    };
    Ok(Some(Write::event(
        media_id.0,
        Event::Detached {
            media_id,
            owner_id: file.owner_id,
            shown_by,
            unshown_until: Moment::nearest(view.now() + periods.unshown).into(),
        },
    )))
}

/// Deletes media of the user who sends the command, which nothing may show.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The media.
    pub media_id: MediaId,
    /// How long their bytes are kept.
    pub periods: Periods,
}

impl Command for Delete {
    fn name(&self) -> &'static str {
        "delete_media"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotStored, SHOWN]);
        [own_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        match find_own(view, self.media_id)? {
            (_, Media::Stored(file)) => match file.shown_by {
                Some(shown_by) => Err(Error::Shown(shown_by).into()),
                None => delete(view, self.media_id, file, self.periods),
            },
            (_, Media::None | Media::Uploading(_) | Media::Over { .. } | Media::Removed) => {
                Err(Error::NotStored.into())
            }
        }
    }
}

/// Deletes media that nothing has shown until a moment.
#[derive(Clone, Debug)]
pub struct DeleteUnshown {
    /// The media.
    pub media_id: MediaId,
    /// The moment, as the event that set the timer has it.
    pub unshown_until: Moment,
    /// How long their bytes are kept.
    pub periods: Periods,
}

impl Command for DeleteUnshown {
    fn name(&self) -> &'static str {
        "delete_unshown_media"
    }

    fn refusals() -> Vec<Refusal> {
        let not_due = Error::NotDue(Timestamp::UNIX_EPOCH);
        let own = refusals([Error::NotFound, Error::Kept, not_due]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        match view.get::<Media>(self.media_id.0)? {
            Media::Stored(file)
                if file.shown_by.is_none()
                    && *file.unshown_until == self.unshown_until.timestamp() =>
            {
                if view.now() < *file.unshown_until {
                    return Err(Error::NotDue(*file.unshown_until).into());
                }
                delete(view, self.media_id, file, self.periods)
            }
            Media::None => Err(Error::NotFound.into()),
            Media::Uploading(_) | Media::Stored(_) | Media::Over { .. } | Media::Removed => {
                Err(Error::Kept.into())
            }
        }
    }
}

fn delete(
    view: &View<'_>,
    media_id: MediaId,
    file: &File,
    periods: Periods,
) -> Result<Vec<Write>, Stop> {
    let (owner_id, bytes) = (file.owner_id, file.bytes);
    let remove_at = Moment::nearest(view.now() + periods.removal).into();
    let deleted = Event::Deleted {
        media_id,
        owner_id,
        remove_at,
    };
    Ok(vec![
        Write::event(media_id.0, deleted),
        media_account::delete(view, owner_id, media_id, bytes, remove_at)?,
    ])
}

/// Puts on record that the bytes of media were removed from the store.
#[derive(Clone, Debug)]
pub struct RecordRemoval {
    /// The media.
    pub media_id: MediaId,
}

impl Command for RecordRemoval {
    fn name(&self) -> &'static str {
        "record_media_removal"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Kept, Error::Removed]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let media_id = self.media_id;
        match view.get::<Media>(media_id.0)? {
            Media::None => Err(Error::NotFound.into()),
            Media::Uploading(_) | Media::Stored(_) => Err(Error::Kept.into()),
            Media::Removed => Err(Error::Removed.into()),
            Media::Over { owner_id } => {
                let removed = Event::Removed {
                    media_id,
                    owner_id: *owner_id,
                };
                let mut writes = vec![Write::event(media_id.0, removed)];
                writes.extend(media_account::release_deleted(view, *owner_id, media_id)?);
                Ok(writes)
            }
        }
    }
}
