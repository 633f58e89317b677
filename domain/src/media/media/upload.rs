//! Uploads: opened within the quota of their owner, and complete once all variants are stored.

use tidemark_events::identity::user::Role;
use tidemark_events::media::media::{
    EndReason, Event, PictureType, Purpose, Sha256, StoredVariant,
};
use tidemark_events::{MediaId, Moment, Stored, Timestamp};

use super::{Error, Media, Periods, bytes_of, find_own, own_refusals};
use crate::decision::refusals;
use crate::identity::access;
use crate::media::media_account;
use crate::media::media_account::Quota;
use crate::{Command, Refusal, Stop, View, Write};

/// Opens an upload of the user who sends the command.
#[derive(Clone, Debug)]
pub struct OpenUpload {
    /// The id of the new media.
    pub media_id: MediaId,
    /// What they are for.
    pub purpose: Purpose,
    /// The format of the file, as the user states it; none if it is to be found out.
    pub picture_type: Option<PictureType>,
    /// How many bytes it has.
    pub bytes: i64,
    /// How much the user may have.
    pub quota: Quota,
    /// How long the upload may take.
    pub periods: Periods,
}

impl Command for OpenUpload {
    fn name(&self) -> &'static str {
        "open_upload"
    }

    fn refusals() -> Vec<Refusal> {
        let roles = [Role::Seller, Role::Admin].map(access::role_refusals);
        let quota = media_account::refusals_of_reserving();
        [roles.concat(), quota].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let owner_id = match self.purpose {
            Purpose::ProductPicture => access::require(view, Role::Seller)?,
            Purpose::CategoryPicture => access::require(view, Role::Admin)?,
            Purpose::Avatar => access::user(view)?,
        };
        let (media_id, bytes) = (self.media_id, self.bytes);
        let reserved = media_account::reserve(view, owner_id, media_id, bytes, self.quota)?;
        let opened = Event::UploadOpened {
            media_id,
            owner_id,
            purpose: self.purpose,
            picture_type: self.picture_type,
            bytes,
            expires_at: Moment::nearest(view.now() + self.periods.upload).into(),
        };
        Ok(vec![Write::event(media_id.0, opened), reserved])
    }
}

/// Lets the user who sends the command go on with an upload. Nothing is put on record of what arrives before all of it has.
#[derive(Clone, Debug)]
pub struct ContinueUpload {
    /// The media.
    pub media_id: MediaId,
}

impl Command for ContinueUpload {
    fn name(&self) -> &'static str {
        "continue_upload"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::UploadOver])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (_, media) = find_own(view, self.media_id)?;
        match media {
            Media::Uploading(upload) if view.now() < *upload.expires_at => Ok(Vec::new()),
            Media::None
            | Media::Uploading(_)
            | Media::Stored(_)
            | Media::Over { .. }
            | Media::Removed => Err(Error::UploadOver.into()),
        }
    }
}

/// Puts on record that an upload of the user who sends the command is complete, and stored in all variants.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    /// The media.
    pub media_id: MediaId,
    /// The SHA-256 of what was uploaded; none of personal media.
    pub uploaded_sha256: Option<Sha256>,
    /// What was stored.
    pub variants: Vec<StoredVariant>,
    /// How much the user may have.
    pub quota: Quota,
    /// How long the media are kept if nothing shows them.
    pub periods: Periods,
}

impl Command for CompleteUpload {
    fn name(&self) -> &'static str {
        "complete_upload"
    }

    fn refusals() -> Vec<Refusal> {
        let quota = media_account::refusals_of_settling();
        [own_refusals(), refusals([Error::UploadOver]), quota].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (owner_id, media) = find_own(view, self.media_id)?;
        let Media::Uploading(upload) = media else {
            return Err(Error::UploadOver.into());
        };
        let bytes = bytes_of(&self.variants);
        if view.now() >= *upload.expires_at {
            return Err(Error::UploadOver.into());
        }
        let settled = media_account::settle(view, owner_id, self.media_id, bytes, self.quota)?;
        let stored = Event::MediaStored {
            media_id: self.media_id,
            owner_id,
            purpose: upload.purpose,
            uploaded_sha256: self.uploaded_sha256.clone().map(Stored::from),
            variants: self.variants.clone(),
            unshown_until: Moment::nearest(view.now() + self.periods.unshown).into(),
        };
        Ok(vec![Write::event(self.media_id.0, stored), settled])
    }
}

/// Puts on record that an upload of the user who sends the command came to nothing.
#[derive(Clone, Debug)]
pub struct EndUpload {
    /// The media.
    pub media_id: MediaId,
    /// Why.
    pub reason: EndReason,
}

impl Command for EndUpload {
    fn name(&self) -> &'static str {
        "end_upload"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::UploadOver])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (_, media) = find_own(view, self.media_id)?;
        end(view, self.media_id, media, self.reason)
    }
}

/// Ends an upload that was not complete in time.
#[derive(Clone, Debug)]
pub struct ExpireUpload {
    /// The media.
    pub media_id: MediaId,
}

impl Command for ExpireUpload {
    fn name(&self) -> &'static str {
        "expire_upload"
    }

    fn refusals() -> Vec<Refusal> {
        let not_due = Error::NotDue(Timestamp::UNIX_EPOCH);
        let own = refusals([Error::NotFound, Error::UploadOver, not_due]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let media = view.get::<Media>(self.media_id.0)?;
        match media {
            Media::None => Err(Error::NotFound.into()),
            Media::Uploading(upload) if view.now() < *upload.expires_at => {
                Err(Error::NotDue(*upload.expires_at).into())
            }
            Media::Uploading(_) | Media::Stored(_) | Media::Over { .. } | Media::Removed => {
                end(view, self.media_id, media, EndReason::Expired)
            }
        }
    }
}

fn end(
    view: &View<'_>,
    media_id: MediaId,
    media: &Media,
    reason: EndReason,
) -> Result<Vec<Write>, Stop> {
    let Media::Uploading(upload) = media else {
        return Err(Error::UploadOver.into());
    };
    let ended = Event::UploadEnded {
        media_id,
        owner_id: upload.owner_id,
        reason,
    };
    Ok(vec![
        Write::event(media_id.0, ended),
        media_account::release(view, upload.owner_id, media_id, upload.bytes)?,
    ])
}
