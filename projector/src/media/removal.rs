//! The effects that remove bytes from the store of media.

use std::time::Duration;

use async_trait::async_trait;
use tidemark_domain::media::processes::media_keeper;
use tidemark_domain::media::processes::media_keeper::Removal;
use tidemark_platform::media_store::{Error, MediaStore};

use crate::error::with_causes;
use crate::reacting::effects::{Effect, Outcome, Performed};

/// The pauses after the first attempts. The last of them follows all later ones.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(10),
];

/// Removes what has arrived of an upload. If it is not complete by then, it has expired.
pub(crate) struct RemoveUpload(pub(crate) MediaStore);

#[async_trait]
impl Effect for RemoveUpload {
    const NAME: &'static str = media_keeper::REMOVE_UPLOAD;
    type Body = Removal;

    async fn perform(&self, removal: Removal, attempt: i32) -> Performed {
        let id = removal.media_id;
        let removed = self.0.remove_upload(id.0).await;
        performed(removed, format!("/v1/media/{id}/expire-upload"), attempt)
    }
}

/// Removes all bytes of media that were deleted, or whose upload came to nothing.
pub(crate) struct RemoveMedia(pub(crate) MediaStore);

#[async_trait]
impl Effect for RemoveMedia {
    const NAME: &'static str = media_keeper::REMOVE_MEDIA;
    type Body = Removal;

    async fn perform(&self, removal: Removal, attempt: i32) -> Performed {
        let id = removal.media_id;
        let removed = self.0.remove_media(id.0).await;
        performed(removed, format!("/v1/media/{id}/record-removal"), attempt)
    }
}

/// The command with this path puts on record that bytes were removed.
fn performed(removed: Result<(), Error>, path: String, attempt: i32) -> Performed {
    let has_answered = Some(removed.is_ok());
    let outcome = match removed {
        Ok(()) => Outcome::Over { path, body: None },
        Err(error) => Outcome::Later {
            after: pause(attempt),
            reason: with_causes(&error),
        },
    };
    Performed {
        outcome,
        has_answered,
    }
}

/// The pause after the attempt with this number.
fn pause(attempt: i32) -> Duration {
    let attempt = usize::try_from(attempt).unwrap_or(1).max(1);
    PAUSES[(attempt - 1).min(PAUSES.len() - 1)]
}
