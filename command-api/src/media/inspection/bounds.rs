//! Bounds of the work on a picture: the bytes that are written of it, and the time that it takes. No codec has such bounds, but all
//! of them read and write again and again.

use std::io;
use std::io::{BufRead, ErrorKind, Read, Seek, SeekFrom, Write};
use std::time::Instant;

use image::ImageError;

use super::Error;

/// How many bytes a decoder gets before the time is looked at again.
const READ_BYTES: usize = 8_192;

/// Takes so many bytes, and no more.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Bounded {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            bytes_max,
            is_full: false,
        }
    }

    /// What an encoder wrote that ended so.
    pub(super) fn finish(self, encoded: Result<(), ImageError>) -> Result<Vec<u8>, Error> {
        if self.is_full {
            return Err(Error::TooManyBytes(self.bytes_max));
        }
        encoded?;
        Ok(self.bytes)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            self.is_full = true;
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads or writes until a time, and then fails.
pub(super) struct Timed<T> {
    pub(super) inner: T,
    until: Instant,
}

impl<T> Timed<T> {
    pub(super) const fn new(inner: T, until: Instant) -> Self {
        Self { inner, until }
    }

    fn check(&self) -> io::Result<()> {
        if Instant::now() < self.until {
            Ok(())
        } else {
            Err(ErrorKind::TimedOut.into())
        }
    }
}

impl<T: Write> Write for Timed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Timed<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(bytes)
    }
}

impl<T: BufRead> BufRead for Timed<T> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        let bytes = self.inner.fill_buf()?;
        Ok(&bytes[..bytes.len().min(READ_BYTES)])
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
    }
}

impl<T: Seek> Seek for Timed<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
