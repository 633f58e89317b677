//! The bytes of personal media, which are unsealed chunk by chunk while they are sent.

use std::io;
use std::ops::Range;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use tidemark_event_store::{SEALED_HEADER_BYTES, SealError, SealedFile, SubjectKey};
use tidemark_events::MediaId;
use tidemark_events::media::media::StoredVariant;
use tidemark_platform::http::Problem;
use tidemark_platform::media_store::{Error as StoreError, MediaStore};

use crate::error::{Error, media_unavailable};

/// The bytes of a range of a sealed picture.
pub(super) async fn read(
    store: &MediaStore,
    key: &SubjectKey,
    id: MediaId,
    picture: &StoredVariant,
    range: Range<u64>,
) -> Result<Body, Error> {
    let unavailable = |error: StoreError| {
        error.report();
        Error::from(media_unavailable())
    };
    let header = store.read(id.0, &picture.sha256, 0..SEALED_HEADER_BYTES);
    let header: Vec<Bytes> = header
        .await
        .map_err(unavailable)?
        .try_collect()
        .await
        .map_err(unavailable)?;
    let name = picture.variant.sealed_as(id);
    let bytes = picture.bytes.unsigned_abs();
    let file = key.open_file(&name, &header.concat(), bytes);
    let file = file.map_err(|error| match error {
        SealError::Broken => unavailable(StoreError::Altered),
        SealError::KeyLength | SealError::Storage(_) => Problem::internal(error).into(),
    })?;
    let chunks = file.chunks_of(&range).map_err(Problem::internal)?;
    let sealed = store.read(id.0, &picture.sha256, chunks.sealed);
    let opening = Opening {
        sealed: sealed.await.map_err(unavailable)?,
        waiting: BytesMut::new(),
        file,
        position: chunks.first,
        before: chunks.before,
        left: chunks.bytes,
    };
    Ok(Body::from_stream(opening.chunks()))
}

/// A range that is being sent.
struct Opening<S> {
    sealed: S,
    /// What has come of the next chunk.
    waiting: BytesMut,
    file: SealedFile,
    /// The number of the next chunk.
    position: u32,
    /// How many bytes of the next chunk are before the range.
    before: usize,
    /// How many bytes of the range are still to be sent.
    left: u64,
}

impl Opening<BoxStream<'static, Result<Bytes, StoreError>>> {
    /// The plain bytes. If they are not what was sealed, the answer breaks off, since it has begun.
    fn chunks(self) -> impl Stream<Item = io::Result<Bytes>> {
        futures::stream::try_unfold(self, |mut opening| async move {
            let chunk = opening.next().await.map_err(|error| {
                error.report();
                io::Error::other(error)
            })?;
            Ok(chunk.map(|chunk| (chunk, opening)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let chunk_bytes = self.file.chunk_bytes(self.position);
        while self.waiting.len() < chunk_bytes {
            let bytes = self.sealed.next().await.ok_or(StoreError::Altered)??;
            self.waiting.extend_from_slice(&bytes);
        }
        let sealed = self.waiting.split_to(chunk_bytes);
        let opened = self.file.open_chunk(self.position, &sealed);
        let mut plain = Bytes::from(opened.map_err(|_| StoreError::Altered)?);
        let _before = plain.split_to(self.before.min(plain.len()));
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        plain.truncate(left);
        self.position += 1;
        self.before = 0;
        self.left -= plain.len() as u64;
        Ok(Some(plain))
    }
}
