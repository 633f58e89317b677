//! The parts of an upload, which are sealed if it is about its owner.

use axum::body::Bytes;
use futures::{TryStreamExt, pin_mut};
use tidemark_event_store::{SealError, SubjectKey, plain_file_bytes};
use tidemark_events::MediaId;
use tidemark_platform::http::Problem;
use tidemark_platform::media_store::{Error, MediaStore, Part};

use super::problems::{of_store, wrong_offset};

/// An upload of which parts are kept.
#[derive(Clone)]
pub struct Upload {
    /// The media that it becomes.
    pub id: MediaId,
    /// The key of its owner, if it is about them.
    pub owner: Option<SubjectKey>,
}

impl Upload {
    /// The name under which a part is sealed, so that no other opens in its place.
    fn sealed_as(&self, offset: u64) -> String {
        format!("uploads/{}/{offset}", self.id)
    }

    /// Keeps a part in the store, sealed if the upload is about its owner.
    ///
    /// # Errors
    /// 409 if there is one at this offset.
    pub(super) async fn keep(
        &self,
        store: &MediaStore,
        offset: u64,
        part: Bytes,
    ) -> Result<(), Problem> {
        let part = match &self.owner {
            None => part,
            Some(key) => {
                let sealed = key.seal_file(&self.sealed_as(offset), &part);
                sealed.map_err(Problem::internal)?.into()
            }
        };
        let kept = store.put_part(self.id.0, offset, part).await;
        kept.map_err(|error| match error {
            Error::Exists => wrong_offset(offset),
            Error::Missing | Error::Altered | Error::Full | Error::Slow | Error::Unavailable(_) => {
                of_store(&error)
            }
        })
    }

    /// The bytes of all parts, which are said to be so many; none if the store has altered some, or has fewer, as of an upload that is
    /// removed meanwhile.
    ///
    /// # Errors
    /// If the store does not answer.
    pub(super) async fn read(
        &self,
        store: &MediaStore,
        bytes: u64,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let failed = |error: Error| of_store(&error);
        let parts = parts(store, self.id, self.owner.is_some()).await?;
        let kept = store.read_parts(self.id.0, parts);
        pin_mut!(kept);
        let mut file = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        while let Some((part, kept)) = kept.try_next().await.map_err(failed)? {
            match &self.owner {
                None => file.extend_from_slice(&kept),
                Some(key) => match key.open_whole_file(&self.sealed_as(part.offset), &kept) {
                    Ok(opened) => file.extend_from_slice(&opened),
                    Err(SealError::Broken) => return Ok(None),
                    Err(error @ (SealError::KeyLength | SealError::Storage(_))) => {
                        return Err(Problem::internal(error));
                    }
                },
            }
        }
        Ok((file.len() as u64 == bytes).then_some(file))
    }
}

/// The parts of an upload that follow each other from its beginning.
///
/// # Errors
/// If the store does not answer.
pub(super) async fn parts(
    store: &MediaStore,
    id: MediaId,
    is_sealed: bool,
) -> Result<Vec<Part>, Problem> {
    let plain = |kept| {
        if is_sealed {
            plain_file_bytes(kept)
        } else {
            kept
        }
    };
    let parts = store.parts(id.0, plain).await;
    parts.map_err(|error| of_store(&error))
}
