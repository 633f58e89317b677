//! Stores an upload of which all bytes have arrived: looks at it, writes it in all sizes, and returns what is to be put on record.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures::future::try_join_all;
use sha2::{Digest, Sha256};
use tidemark_domain::media::media::{CompleteUpload, Media as MediaState};
use tidemark_event_store::SubjectKey;
use tidemark_events::media::media::{PictureType, StoredVariant};
use tidemark_events::{MediaId, Stored};
use tidemark_platform::http::Problem;

use super::inspection::Written;
use super::inspector::Uninspected;
use super::parts::Upload;
use super::problems::{inspection_failed, of_store, overloaded, rejected};
use super::{Media, periods, quota};
use crate::admission::Share;

/// Why nothing was stored.
#[derive(Debug)]
pub enum Unstored {
    /// The file is none that is taken.
    Rejected(Problem),
    /// The store does not have all bytes any more, or not as they were. So it is also if another request has completed the upload, or
    /// ended it, since this one sent the last bytes.
    Lost,
    /// The bytes could not be read or kept, for now.
    Failed(Problem),
}

impl From<Uninspected> for Unstored {
    fn from(uninspected: Uninspected) -> Self {
        match uninspected {
            Uninspected::Refused(reason) => Self::Rejected(rejected(&reason)),
            Uninspected::Late => Self::Failed(overloaded()),
            Uninspected::Failed => Self::Failed(inspection_failed()),
        }
    }
}

impl Media {
    /// Stores what has arrived of an upload, if that is all of its bytes, and a picture of the stated type. What is about its owner is sealed
    /// under a key of theirs.
    ///
    /// # Errors
    /// Why nothing was stored.
    pub async fn store(
        &self,
        upload: Upload,
        bytes: u64,
        stated: Option<PictureType>,
        share: Share,
    ) -> Result<CompleteUpload, Unstored> {
        let wait = Duration::from_millis(self.settings.inspection_wait_ms);
        let permit = tokio::time::timeout(wait, self.inspections.acquire(share.clone())).await;
        let _permit = permit.map_err(|_| Unstored::Failed(overloaded()))?;
        let file = upload.read(&self.store, bytes).await;
        let Upload { id, owner } = upload;
        let file = file.map_err(Unstored::Failed)?.ok_or(Unstored::Lost)?;
        let needs_hash = owner.is_none();
        let (uploaded_sha256, file) =
            apart(move || (needs_hash.then(|| hash(&file)), file)).await?;
        let begin = Instant::now();
        let inspected = self.inspector.inspect(file, stated).await;
        self.spending.spend(share, begin.elapsed(), Instant::now());
        let written = inspected?;
        let contents = apart(move || seal_all(id, written, owner.as_ref())).await?;
        // Until all is kept, no other picture takes memory beside this one.
        let contents = contents.map_err(Unstored::Failed)?.into_iter();
        let keeping = try_join_all(contents.map(|content| self.keep(id, content)));
        let variants = keeping.await.map_err(Unstored::Failed)?;
        Ok(CompleteUpload {
            media_id: id,
            uploaded_sha256: uploaded_sha256
                .map(text)
                .transpose()
                .map_err(Unstored::Failed)?,
            variants,
            quota: quota(&self.settings),
            periods: periods(&self.settings),
        })
    }

    /// The command of an upload that is not open: it is accepted only where its key is that of one which was stored before.
    #[must_use]
    pub fn stored_before(&self, id: MediaId) -> CompleteUpload {
        CompleteUpload {
            media_id: id,
            uploaded_sha256: None,
            variants: Vec::new(),
            quota: quota(&self.settings),
            periods: periods(&self.settings),
        }
    }

    /// Removes what is not needed of an upload in this state: its parts once it is stored, and everything if it came to nothing.
    /// What is left over here is removed when the upload would have expired.
    pub async fn clean_up(&self, id: MediaId, state: &MediaState) {
        let removed = match state {
            MediaState::Uploading(_) => return,
            MediaState::Stored(_) => self.store.remove_upload(id.0).await,
            MediaState::None | MediaState::Over { .. } | MediaState::Removed => {
                self.store.remove_media(id.0).await
            }
        };
        if let Err(error) = removed {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "bytes of an upload stay for now"
            );
        }
    }

    async fn keep(&self, id: MediaId, content: Content) -> Result<StoredVariant, Problem> {
        let Content {
            written,
            bytes,
            sha256,
        } = content;
        let kept = self.store.put(id.0, &sha256, Bytes::from(written.bytes));
        kept.await.map_err(|error| of_store(&error))?;
        Ok(StoredVariant {
            variant: written.variant,
            picture_type: written.picture_type,
            width: written.width,
            height: written.height,
            bytes,
            sha256: Stored::from(text(sha256)?),
        })
    }
}

/// A picture as it is kept.
struct Content {
    /// Its bytes are sealed if the picture is about somebody.
    written: Written,
    /// How many bytes it has, unless it is sealed.
    bytes: i64,
    /// Of the bytes as they are kept.
    sha256: String,
}

/// Does what takes a core for a while, and so none of the threads that serve others.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unstored> {
    let worked = tokio::task::spawn_blocking(work).await;
    worked.map_err(|error| Unstored::Failed(Problem::internal(error)))
}

fn seal_all(
    id: MediaId,
    written: Vec<Written>,
    owner: Option<&SubjectKey>,
) -> Result<Vec<Content>, Problem> {
    let seal = |mut written: Written| {
        let bytes = i64::try_from(written.bytes.len()).map_err(Problem::internal)?;
        if let Some(key) = owner {
            let name = written.variant.sealed_as(id);
            let sealed = key.seal_file(&name, &written.bytes);
            written.bytes = sealed.map_err(Problem::internal)?;
        }
        Ok(Content {
            sha256: hash(&written.bytes),
            bytes,
            written,
        })
    };
    written.into_iter().map(seal).collect()
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn text(sha256: String) -> Result<tidemark_events::media::media::Sha256, Problem> {
    sha256.try_into().map_err(Problem::internal)
}
