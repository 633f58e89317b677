//! Where the bytes of media are kept: in a folder, or in a bucket of a store that speaks the protocol of S3. What has arrived of
//! an upload lies in parts below `uploads/`, what is complete below `media/`. Nothing here knows who may see what.

#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use uuid::Uuid;

use crate::config::Config;
use crate::object_store as bucket;

/// Where parts of uploads lie.
const UPLOADS: &str = "uploads";
/// Where complete media lie.
const MEDIA: &str = "media";
/// Offsets in the names of parts have so many digits, so that a list of names is in the order of offsets.
const OFFSET_DIGITS: usize = 20;

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
pub struct MediaStore(Arc<dyn ObjectStore>);

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
        let store = match bucket::bucket_and_prefix(place) {
            Some((bucket, prefix)) => {
                let store = bucket::connect(bucket, &config.object_store)?;
                Arc::new(PrefixStore::new(store, prefix)) as Arc<dyn ObjectStore>
            }
            None => Arc::new(folder(place.into())?),
        };
        Ok(Some(Self(store)))
    }

    /// Keeps a part of an upload.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is one at the same offset.
    pub async fn put_part(&self, upload: Uuid, offset: u64, bytes: Bytes) -> Result<(), Error> {
        self.create(&part(upload, offset), bytes).await
    }

    /// The parts of an upload that follow each other from its beginning.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn parts(&self, upload: Uuid) -> Result<Vec<Part>, Error> {
        let folder = Path::from_iter([UPLOADS, &upload.to_string()]);
        let objects = self.0.list(Some(&folder)).try_collect::<Vec<_>>().await;
        let mut parts = match objects.map_err(Error::from) {
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
            found.push(Part {
                offset: end,
                bytes: object.size,
            });
            end += object.size;
        }
        Ok(found)
    }

    /// The bytes of all these parts; of an upload that is removed meanwhile, fewer.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn read_parts(&self, upload: Uuid) -> Result<Vec<u8>, Error> {
        let mut file = Vec::new();
        for found in self.parts(upload).await? {
            match self.read_part(upload, found.offset).await {
                Ok(bytes) => file.extend_from_slice(&bytes),
                Err(Error::Missing) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(file)
    }

    async fn read_part(&self, upload: Uuid, offset: u64) -> Result<Bytes, Error> {
        let object = self.0.get(&part(upload, offset)).await?;
        Ok(object.bytes().await?)
    }

    /// Keeps complete bytes under their hash. If they are there, they are the same.
    ///
    /// # Errors
    /// If the store does not keep them.
    pub async fn put(&self, media: Uuid, sha256: &str, bytes: Bytes) -> Result<(), Error> {
        match self.create(&object(media, sha256), bytes).await {
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
        let object = self.0.get_opts(&object(media, sha256), options).await?;
        Ok(object.into_stream().map_err(Error::from).boxed())
    }

    /// Removes what has arrived of an upload.
    ///
    /// # Errors
    /// If the store does not answer. Some of it may be removed then.
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
        let mut objects = self.0.list(Some(&folder));
        while let Some(object) = objects.try_next().await? {
            match self.0.delete(&object.location).await {
                // Somebody else removed it meanwhile.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn create(&self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        let payload = PutPayload::from_bytes(bytes);
        self.0
            .put_opts(path, payload, PutMode::Create.into())
            .await?;
        Ok(())
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
