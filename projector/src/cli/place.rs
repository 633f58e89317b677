//! Where a backup is: in a folder, or in an object store. Its fingerprints are the last that is written: without them
//! it is no backup.

mod folder;
mod store;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tidemark_platform::Config;
use tokio::io::AsyncWriteExt;

pub(super) use self::store::Store;
use super::Error;
use crate::checking::fingerprints::Fingerprints;

/// The fingerprints in a backup.
const FINGERPRINTS: &str = "fingerprints";
/// What stands in their place until they are complete. It keeps two from backing up to the same place.
const UNFINISHED: &str = "fingerprints.unfinished";

/// The place of a backup.
pub(super) enum Place {
    Folder(PathBuf),
    Store(Store),
}

impl Place {
    /// The place that an operator names: `s3://BUCKET/PREFIX`, or a folder.
    pub(super) fn named(name: &Path, config: &Config) -> Result<Self, Error> {
        match name.to_str().filter(|name| name.starts_with("s3://")) {
            Some(name) => Ok(Self::Store(Store::named(name, &config.object_store)?)),
            None => Ok(Self::Folder(name.to_owned())),
        }
    }

    /// Begins a backup, for which the place must be empty.
    pub(super) async fn begin(&self) -> Result<Fingerprints, Error> {
        let begun = match self {
            Self::Folder(folder) => folder::begin(folder).await,
            Self::Store(store) => store.begin().await,
        };
        match begun {
            Ok(file) => Ok(Fingerprints::Written(self.name_of(FINGERPRINTS), file)),
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                Err(Error::InUse(self.name()))
            }
            Err(error) => Err(Error::backup(&self.name(), &error)),
        }
    }

    /// The fingerprints of the backup that is there, to compare a log with them.
    pub(super) async fn fingerprints(&self) -> Result<Fingerprints, Error> {
        let name = self.name_of(FINGERPRINTS);
        let file = match self {
            Self::Folder(folder) => folder::open(folder).await,
            Self::Store(store) => store.open().await,
        };
        match file {
            Ok(file) => Ok(Fingerprints::Compared(name, file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NoBackup(self.name())),
            Err(error) => Err(Error::backup(&name, &error)),
        }
    }

    /// Completes the fingerprints that were written, so that they survive a power cut, and with them the backup.
    pub(super) async fn complete(&self, fingerprints: Fingerprints) -> Result<(), Error> {
        let Fingerprints::Written(name, mut file) = fingerprints else {
            return Ok(());
        };
        let complete = async {
            file.shutdown().await?;
            match self {
                Self::Folder(folder) => folder::complete(folder),
                Self::Store(store) => store.complete().await,
            }
        };
        complete.await.map_err(|error| Error::backup(&name, &error))
    }

    fn name(&self) -> String {
        match self {
            Self::Folder(folder) => format!("the folder {}", folder.display()),
            Self::Store(store) => store.name().to_owned(),
        }
    }

    fn name_of(&self, file: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(file).display().to_string(),
            Self::Store(store) => store.name_of(file),
        }
    }
}
