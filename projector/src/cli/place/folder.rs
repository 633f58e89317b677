//! The fingerprints of a backup in a folder.

use std::fs;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};

use super::{FINGERPRINTS, UNFINISHED};

/// Begins a file in a folder that does not exist or is empty.
pub(super) async fn begin(folder: &Path) -> io::Result<Box<dyn AsyncWrite + Send + Unpin>> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    let file = File::create_new(folder.join(UNFINISHED)).await?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Opens the file of a backup.
pub(super) async fn open(folder: &Path) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
    let file = File::open(folder.join(FINGERPRINTS)).await?;
    Ok(Box::new(BufReader::new(file)))
}

/// Gives the file, to which all is written, the name by which the folder is a backup.
pub(super) fn complete(folder: &Path) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    fs::File::open(&unfinished)?.sync_all()?;
    fs::rename(unfinished, folder.join(FINGERPRINTS))?;
    fs::File::open(folder)?.sync_all()
}
