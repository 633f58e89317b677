//! The answer of the process that looked at a picture: a line of JSON, and after it the bytes of all sizes, one after the other.

use std::io;
use std::io::{ErrorKind, Write};

use serde::{Deserialize, Serialize};
use tidemark_events::media::media::{PictureType, Variant};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::{Error, Written};

/// The most bytes of the line.
const HEAD_BYTES_MAX: u64 = 4_096;

/// What came of a picture.
pub(in crate::media) enum Answer {
    /// It is a picture in all sizes, the full one first.
    Written(Vec<Written>),
    /// It is refused, for this reason.
    Refused(String),
    /// It was not looked at, for this reason.
    Failed(String),
}

/// The line of JSON.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    Written(Vec<Following>),
    Refused(String),
    Failed(String),
}

/// A size of the picture, of which so many bytes follow.
#[derive(Debug, Serialize, Deserialize)]
struct Following {
    variant: Variant,
    picture_type: PictureType,
    width: u32,
    height: u32,
    bytes: usize,
}

impl Answer {
    pub(super) fn of(inspected: Result<Vec<Written>, Error>) -> Self {
        match inspected {
            Ok(written) => Self::Written(written),
            Err(error) => Self::Refused(error.to_string()),
        }
    }

    pub(super) fn write(self, mut output: impl Write) -> io::Result<()> {
        let (head, written) = match self {
            Self::Written(written) => {
                let following = written.iter().map(Following::of);
                (Head::Written(following.collect()), written)
            }
            Self::Refused(reason) => (Head::Refused(reason), Vec::new()),
            Self::Failed(reason) => (Head::Failed(reason), Vec::new()),
        };
        let mut line = serde_json::to_vec(&head)?;
        line.push(b'\n');
        output.write_all(&line)?;
        for written in written {
            output.write_all(&written.bytes)?;
        }
        output.flush()
    }

    /// Reads an answer with at most so many bytes of each size.
    pub(in crate::media) async fn read(
        output: impl AsyncRead + Unpin,
        written_bytes: usize,
    ) -> io::Result<Self> {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        let mut head = (&mut output).take(HEAD_BYTES_MAX);
        head.read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let following = match serde_json::from_slice(&line)? {
            Head::Written(following) => following,
            Head::Refused(reason) => return Ok(Self::Refused(reason)),
            Head::Failed(reason) => return Ok(Self::Failed(reason)),
        };
        if !following.iter().map(|it| it.variant).eq(Variant::ALL) {
            return Err(invalid("it does not have all sizes"));
        }
        let mut all = Vec::new();
        for following in following {
            if following.bytes > written_bytes {
                return Err(invalid("it has too many bytes"));
            }
            let mut bytes = vec![0; following.bytes];
            output.read_exact(&mut bytes).await?;
            all.push(following.with(bytes));
        }
        Ok(Self::Written(all))
    }
}

impl Following {
    const fn of(written: &Written) -> Self {
        Self {
            variant: written.variant,
            picture_type: written.picture_type,
            width: written.width,
            height: written.height,
            bytes: written.bytes.len(),
        }
    }

    fn with(self, bytes: Vec<u8>) -> Written {
        Written {
            variant: self.variant,
            picture_type: self.picture_type,
            width: self.width,
            height: self.height,
            bytes,
        }
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
