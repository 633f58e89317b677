//! The file of fingerprints in a backup: 8 bytes of the SHA-256 of each event, in the order of the log. By it a check
//! knows which event differs, at a hundredth of the size of the log.

use std::fs;
use std::fs::File;
use std::io;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The file in the folder of a backup. It is the last that a backup writes: a folder without it is no backup.
const NAME: &str = "fingerprints";
/// Its name as long as it is being written.
const UNFINISHED: &str = "fingerprints.unfinished";

/// What is done with the fingerprint of each event.
pub(crate) enum Fingerprints {
    /// There is no backup.
    Ignored,
    /// A backup is being made, in this folder.
    Written(BufWriter<File>, PathBuf),
    /// The log is compared with a backup.
    Compared(BufReader<File>),
}

impl Fingerprints {
    /// Begins the file of a backup that is being made.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let file = File::create_new(folder.join(UNFINISHED))?;
        Ok(Self::Written(BufWriter::new(file), folder.to_owned()))
    }

    /// Opens the file of a backup.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let file = File::open(folder.join(NAME))?;
        Ok(Self::Compared(BufReader::new(file)))
    }

    /// Takes the next event's fingerprint. It returns whether the backup has the same one, or ends before this event.
    pub(super) fn take(&mut self, fingerprint: &[u8]) -> io::Result<bool> {
        if let Self::Written(file, _) = self {
            file.write_all(fingerprint)?;
        }
        Ok(self.next()?.is_none_or(|kept| kept == fingerprint))
    }

    /// The next fingerprint of the backup with which the log is compared.
    pub(super) fn next(&mut self) -> io::Result<Option<[u8; 8]>> {
        let Self::Compared(file) = self else {
            return Ok(None);
        };
        let mut kept = [0; 8];
        match file.read_exact(&mut kept) {
            Ok(()) => Ok(Some(kept)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Completes the file that is being written, so that it survives a power cut, and with it the backup.
    pub(crate) fn finish(self) -> io::Result<()> {
        if let Self::Written(file, folder) = self {
            file.into_inner()?.sync_all()?;
            fs::rename(folder.join(UNFINISHED), folder.join(NAME))?;
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}
