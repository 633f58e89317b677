//! The effects that remove bytes from the store of media.

use async_trait::async_trait;
use tidemark_domain::media::processes::media_keeper;
use tidemark_domain::media::processes::media_keeper::Removal;
use tidemark_event_store::Log;
use tidemark_events::media::media;
use tidemark_events::{Event, MediaId, Recorded};
use tidemark_platform::media_store::{Error, MediaStore};

use crate::error::with_causes;
use crate::reacting::effects::{Contact, Effect, Outcome, Performed, pause_after};

/// Where the bytes are, and what both effects need to remove them.
#[derive(Clone)]
pub(crate) struct MediaBytes {
    pub(crate) store: MediaStore,
    pub(crate) log: Log,
    /// The pauses after the first attempts. The last of them follows all later ones.
    pub(crate) pauses_ms: Vec<u32>,
}

/// Removes what has arrived of an upload. If it is not complete by then, it has expired. If it came to nothing before, somebody
/// may have kept more of it afterwards, which is removed too.
pub(crate) struct RemoveUpload(pub(crate) MediaBytes);

/// Removes all bytes of media that were deleted, or whose upload came to nothing.
pub(crate) struct RemoveMedia(pub(crate) MediaBytes);

#[async_trait]
impl Effect for RemoveUpload {
    const NAME: &'static str = media_keeper::REMOVE_UPLOAD;
    type Body = Removal;

    async fn perform(&self, removal: Removal, _: &str, attempt: i32) -> Performed {
        let id = removal.media_id;
        let removed = match self.0.has_ended(id).await {
            Ok(true) => self.0.store.remove_media(id.0).await,
            Ok(false) => self.0.store.remove_upload(id.0).await,
            Err(error) => {
                return Performed {
                    outcome: Outcome::Failed(with_causes(&error)),
                    contact: None,
                };
            }
        };
        self.0
            .performed(removed, format!("/v1/media/{id}/expire-upload"), attempt)
    }
}

#[async_trait]
impl Effect for RemoveMedia {
    const NAME: &'static str = media_keeper::REMOVE_MEDIA;
    type Body = Removal;

    async fn perform(&self, removal: Removal, _: &str, attempt: i32) -> Performed {
        let id = removal.media_id;
        let removed = self.0.store.remove_media(id.0).await;
        self.0
            .performed(removed, format!("/v1/media/{id}/record-removal"), attempt)
    }
}

impl MediaBytes {
    /// Whether the upload came to nothing. The first event opened it, and the second says what became of it.
    async fn has_ended(&self, id: MediaId) -> sqlx::Result<bool> {
        let events = self.log.stream(id.0, 1, 1).await?;
        let second = events.first().map(Recorded::decode);
        Ok(matches!(
            second,
            Some(Ok(Event::Media(media::Event::UploadEnded { .. })))
        ))
    }

    /// The command with this path puts on record that bytes were removed.
    fn performed(&self, removed: Result<(), Error>, path: String, attempt: i32) -> Performed {
        let (contact, outcome) = match removed {
            Ok(()) => (Contact::Answered, Outcome::Over { path, body: None }),
            Err(error) => {
                let later = Outcome::Later {
                    after: pause_after(attempt, &self.pauses_ms),
                    reason: with_causes(&error),
                };
                (Contact::Unreachable, later)
            }
        };
        Performed {
            outcome,
            contact: Some(contact),
        }
    }
}
