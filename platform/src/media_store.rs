//! Where the bytes of media are kept: in a folder, or in a bucket of a store that speaks the protocol of S3. What has arrived of
//! an upload lies in parts below `uploads/`, what is complete below `media/`. Nothing here knows who may see what.

mod operations;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::future;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
};
use uuid::Uuid;

use self::operations::Operations;
use crate::config::Config;
use crate::object_store as bucket;

/// Where parts of uploads lie.
const UPLOADS: &str = "uploads";
/// Where complete media lie.
const MEDIA: &str = "media";
/// Offsets in the names of parts have so many digits, so that a list of names is in the order of offsets.
const OFFSET_DIGITS: usize = 20;
/// So many objects are removed at once, so that an upload of many parts is removed in time.
const REMOVED_AT_ONCE: usize = 16;
/// So many parts are read at once.
const READ_AT_ONCE: usize = 4;

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is there already, and is not overwritten.
    #[error("there is a part at this offset")]
    Exists,
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// The store has no room left.
    #[error("the store is full")]
    Full,
    /// The store gives other bytes than it was given.
    #[error("the media store gives other bytes than it was given")]
    Altered,
    /// The store did not answer in time.
    #[error("the media store does not answer in time")]
    Slow,
    /// The store did not answer, or not as it should.
    #[error("the media store does not answer as it should")]
    Unavailable(#[source] object_store::Error),
}

impl Error {
    /// Logs and counts a failure of the store, or that it lacks what is on record.
    pub fn report(&self) {
        tracing::warn!(
            error = self as &dyn std::error::Error,
            "the media store fails"
        );
        metrics::counter!("tidemark_media_store_failures_total").increment(1);
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::AlreadyExists { .. }) {
            Self::Exists
        } else if matches!(error, object_store::Error::NotFound { .. }) {
            Self::Missing
        } else if is_full(&error) {
            Self::Full
        } else {
            Self::Unavailable(error)
        }
    }
}

/// Whether a failure comes from a disk without room.
fn is_full(error: &object_store::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A part of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the file it begins.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// The place where bytes are kept.
#[derive(Clone, Debug)]
pub struct MediaStore {
    store: Arc<dyn ObjectStore>,
    operations: Operations,
}

impl MediaStore {
    /// The place that the configuration names; none if it names none.
    ///
    /// # Errors
    /// If there is no such folder and it cannot be made, or if the settings of the object store are incomplete.
    pub fn from_config(config: &Config) -> Result<Option<Self>, bucket::Error> {
        let place = &config.media.place;
        if place.is_empty() {
            return Ok(None);
        }
        let timeout = Duration::from_millis(config.media.store_timeout_ms);
        let store: Arc<dyn ObjectStore>;
        let operations;
        if let Some((bucket, prefix)) = bucket::bucket_and_prefix(place) {
            let bucket = bucket::connect(bucket, &config.object_store)?;
            store = Arc::new(PrefixStore::new(bucket, prefix));
            operations = Operations::of_server(timeout);
        } else {
            store = Arc::new(folder(place.into())?);
            operations = Operations::of_folder(timeout, config.media.folder_operations_max);
        }
        Ok(Some(Self { store, operations }))
    }

    /// Keeps a part of an upload.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is one at the same offset.
    pub async fn put_part(&self, upload: Uuid, offset: u64, bytes: Bytes) -> Result<(), Error> {
        self.create(part(upload, offset), bytes).await
    }

    /// The parts of an upload that follow each other from its beginning. `plain` says how many bytes of the upload there are in an
    /// object of so many.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn parts(
        &self,
        upload: Uuid,
        plain: impl Fn(u64) -> u64,
    ) -> Result<Vec<Part>, Error> {
        let folder = Path::from_iter([UPLOADS, &upload.to_string()]);
        let objects = self.list(&folder).try_collect::<Vec<_>>().await;
        let mut parts = match objects {
            // They are removed meanwhile.
            Err(Error::Missing) => Vec::new(),
            objects => objects?,
        };
        parts.sort_by(|one, other| one.location.cmp(&other.location));
        let mut found = Vec::new();
        let mut end = 0;
        for object in parts {
            let name = object.location.filename();
            match name.and_then(|it| it.parse::<u64>().ok()) {
                Some(offset) if offset == end => {}
                // It begins within the parts before, which somebody sent at the same time in other pieces.
                Some(offset) if offset < end => continue,
                _ => break,
            }
            let bytes = plain(object.size);
            found.push(Part { offset: end, bytes });
            end += bytes;
        }
        Ok(found)
    }

    /// The bytes of these parts, one part after the other. Of an upload that is removed meanwhile there are fewer.
    pub fn read_parts(
        &self,
        upload: Uuid,
        parts: Vec<Part>,
    ) -> impl Stream<Item = Result<(Part, Bytes), Error>> {
        let read = move |part: Part| async move {
            let bytes = self.read_part(upload, part.offset).await?;
            Ok((part, bytes))
        };
        futures::stream::iter(parts)
            .map(read)
            .buffered(READ_AT_ONCE)
            .take_while(|read| future::ready(!matches!(read, Err(Error::Missing))))
    }

    async fn read_part(&self, upload: Uuid, offset: u64) -> Result<Bytes, Error> {
        let store = Arc::clone(&self.store);
        let reading = async move {
            let object = store.get(&part(upload, offset)).await?;
            object.bytes().await
        };
        self.operations.in_time(reading).await
    }

    /// Keeps complete bytes under their hash. If they are there, they are the same.
    ///
    /// # Errors
    /// If the store does not keep them.
    pub async fn put(&self, media: Uuid, sha256: &str, bytes: Bytes) -> Result<(), Error> {
        match self.create(object(media, sha256), bytes).await {
            Ok(()) | Err(Error::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A range of complete bytes, as they come from the store.
    ///
    /// # Errors
    /// [`Error::Missing`] if they are not there.
    pub async fn read(
        &self,
        media: Uuid,
        sha256: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let (store, place) = (Arc::clone(&self.store), object(media, sha256));
        let opening = async move { store.get_opts(&place, options).await };
        let object = self.operations.in_time(opening).await?;
        Ok(self.operations.all_in_time(object.into_stream()))
    }

    /// Removes what has arrived of an upload.
    ///
    /// # Errors
    /// If the store does not answer. Some of it may be removed then, and who tries again goes on with the rest.
    pub async fn remove_upload(&self, upload: Uuid) -> Result<(), Error> {
        self.remove(UPLOADS, upload).await
    }

    /// Removes all bytes of media, and what has arrived of their upload.
    ///
    /// # Errors
    /// As [`Self::remove_upload`].
    pub async fn remove_media(&self, media: Uuid) -> Result<(), Error> {
        self.remove(UPLOADS, media).await?;
        self.remove(MEDIA, media).await
    }

    async fn remove(&self, folder: &str, id: Uuid) -> Result<(), Error> {
        let folder = Path::from_iter([folder, &id.to_string()]);
        let objects = self.list(&folder);
        let removing = objects.try_for_each_concurrent(REMOVED_AT_ONCE, |object| async move {
            let store = Arc::clone(&self.store);
            let deleting = async move { store.delete(&object.location).await };
            match self.operations.in_time(deleting).await {
                // Somebody else removed it meanwhile.
                Ok(()) | Err(Error::Missing) => Ok(()),
                Err(error) => Err(error),
            }
        });
        removing.await
    }

    async fn create(&self, path: Path, bytes: Bytes) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        let payload = PutPayload::from_bytes(bytes);
        let putting = async move { store.put_opts(&path, payload, PutMode::Create.into()).await };
        self.operations.in_time(putting).await?;
        Ok(())
    }

    fn list(&self, folder: &Path) -> BoxStream<'static, Result<ObjectMeta, Error>> {
        self.operations.all_in_time(self.store.list(Some(folder)))
    }
}

fn part(upload: Uuid, offset: u64) -> Path {
    let name = format!("{offset:0OFFSET_DIGITS$}");
    Path::from_iter([UPLOADS, &upload.to_string(), &name])
}

fn object(media: Uuid, sha256: &str) -> Path {
    Path::from_iter([MEDIA, &media.to_string(), sha256])
}

/// A folder, whose files are on the disk once they are said to be.
fn folder(path: PathBuf) -> Result<LocalFileSystem, bucket::Error> {
    std::fs::create_dir_all(&path).map_err(bucket::Error::Folder)?;
    let folder = LocalFileSystem::new_with_prefix(path)?;
    Ok(folder.with_fsync(true).with_automatic_cleanup(true))
}
