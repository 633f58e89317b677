//! The objects of a backup in a store that speaks the protocol of S3.

use std::io;
use std::sync::Arc;

use ::object_store::buffered::{BufReader, BufWriter};
use ::object_store::path::Path;
use ::object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tidemark_platform::{config, object_store};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{FINGERPRINTS, UNFINISHED};
use crate::cli::Error;

/// How much of an object one request reads.
const READ_BYTES: usize = 8 * 1024 * 1024;
/// How many parts of an object are sent at the same time.
const PARTS_AT_ONCE: usize = 2;

/// The place of a backup in an object store.
pub(in crate::cli) struct Store {
    client: Arc<dyn ObjectStore>,
    name: String,
    prefix: Path,
    part_bytes: usize,
}

impl Store {
    /// The place with the name `s3://BUCKET/PREFIX`.
    pub(super) fn named(name: &str, settings: &config::ObjectStore) -> Result<Self, Error> {
        let no_place = || Error::NoObjectStore(name.to_owned());
        let name = name.trim_end_matches('/');
        let (bucket, prefix) = object_store::bucket_and_prefix(name).ok_or_else(no_place)?;
        let client = object_store::connect(bucket, settings);
        Ok(Self {
            client: Arc::new(client.map_err(|error| Error::backup(name, &error))?),
            name: name.to_owned(),
            prefix,
            part_bytes: settings.part_mib * 1024 * 1024,
        })
    }

    /// Marks the place, which must be empty, and begins the fingerprints. There is no object of them before all are
    /// written.
    pub(super) async fn begin(&self) -> io::Result<Box<dyn AsyncWrite + Send + Unpin>> {
        let there = self.client.list_with_delimiter(Some(&self.prefix)).await?;
        if !there.objects.is_empty() || !there.common_prefixes.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let mark = self.path_of(UNFINISHED);
        let put = self
            .client
            .put_opts(&mark, PutPayload::new(), PutMode::Create.into());
        match put.await {
            Ok(_) => Ok(Box::new(self.writer(FINGERPRINTS))),
            Err(StoreError::AlreadyExists { .. }) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the fingerprints of a backup.
    pub(super) async fn open(&self) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        Ok(Box::new(self.reader(FINGERPRINTS).await?))
    }

    /// Takes the mark away, once the fingerprints are there.
    pub(super) async fn complete(&self) -> io::Result<()> {
        Ok(self.client.delete(&self.path_of(UNFINISHED)).await?)
    }

    /// Begins an object that is sent in parts while it is written.
    pub(in crate::cli) fn writer(&self, object: &str) -> BufWriter {
        let client = Arc::clone(&self.client);
        let writer = BufWriter::with_capacity(client, self.path_of(object), self.part_bytes);
        writer.with_max_concurrency(PARTS_AT_ONCE)
    }

    /// Opens an object. It is fetched in pieces, because what reads it may pause for longer than a request may take.
    pub(in crate::cli) async fn reader(&self, object: &str) -> io::Result<BufReader> {
        let client = Arc::clone(&self.client);
        let object = client.head(&self.path_of(object)).await?;
        Ok(BufReader::with_capacity(client, &object, READ_BYTES))
    }

    /// The place, as an operator names it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The same with the name of an object.
    pub(in crate::cli) fn name_of(&self, object: &str) -> String {
        format!("{}/{object}", self.name)
    }

    fn path_of(&self, object: &str) -> Path {
        self.prefix.clone().join(object)
    }
}
