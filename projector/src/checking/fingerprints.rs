//! The fingerprints in a backup: 8 bytes of the SHA-256 of each event, in the order of the log. By them a check
//! knows which event differs, at a hundredth of the size of the log.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::cli::Error;

/// What is done with the fingerprint of each event.
pub(crate) enum Fingerprints {
    /// There is no backup.
    Ignored,
    /// A backup is being made: they are written to what has this name.
    Written(String, Box<dyn AsyncWrite + Send + Unpin>),
    /// The log is compared with a backup: they are read from what has this name.
    Compared(String, Box<dyn AsyncRead + Send + Unpin>),
}

impl Fingerprints {
    /// Takes the next event's fingerprint. It returns whether the backup has the same one, or ends before this event.
    pub(super) async fn take(&mut self, fingerprint: &[u8]) -> Result<bool, Error> {
        if let Self::Written(name, file) = self {
            let written = file.write_all(fingerprint).await;
            written.map_err(|error| Error::backup(name, &error))?;
        }
        Ok(self.next().await?.is_none_or(|kept| kept == fingerprint))
    }

    /// The next fingerprint of the backup with which the log is compared.
    pub(super) async fn next(&mut self) -> Result<Option<[u8; 8]>, Error> {
        let Self::Compared(name, file) = self else {
            return Ok(None);
        };
        let mut kept = [0; 8];
        match file.read_exact(&mut kept).await {
            Ok(_) => Ok(Some(kept)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Error::backup(name, &error)),
        }
    }
}
