//! The bytes of public media, which are compared with their hash while they are sent. The hash is that of the whole file, so the
//! whole is read also if only a range of it is sent.

use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures::stream::{BoxStream, Fuse};
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tidemark_platform::fair_semaphore::FairSemaphore;
use tidemark_platform::media_store::Error;

/// Whose turn it is to have bytes read that are not sent. A client takes little for a small range of a large file, and so does not
/// bound by itself how much is read for it.
pub(super) type Turns = Arc<FairSemaphore<IpAddr>>;

/// A file as it should be.
pub(super) struct Expected {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// A range of a file, all of which is `kept`. The last piece is sent only once all of the file is known to be what was kept, so that
/// of a file that the store has altered, or lost something of, nobody takes what came for the range.
pub(super) fn range(
    kept: BoxStream<'static, Result<Bytes, Error>>,
    file: Expected,
    range: Range<u64>,
    turns: Turns,
    client: IpAddr,
) -> Body {
    let checking = Checking {
        kept: kept.fuse(),
        hash: Sha256::new(),
        expected: Some(file.sha256),
        bytes: file.bytes,
        position: 0,
        range,
        last: None,
        turns,
        client,
    };
    Body::from_stream(checking.pieces())
}

/// A range that is being sent.
struct Checking {
    kept: Fuse<BoxStream<'static, Result<Bytes, Error>>>,
    hash: Sha256,
    /// What the hash must be; none once they were compared.
    expected: Option<String>,
    /// How many bytes the file has.
    bytes: u64,
    /// How many of them were read.
    position: u64,
    range: Range<u64>,
    /// What came last of the range, and was not sent.
    last: Option<Bytes>,
    turns: Turns,
    client: IpAddr,
}

impl Checking {
    /// The pieces. If they are not what was kept, the answer breaks off, since it has begun.
    fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> {
        futures::stream::try_unfold(self, |mut checking| async move {
            let piece = checking.next().await.map_err(|error| {
                error.report();
                io::Error::other(error)
            })?;
            Ok(piece.map(|piece| (piece, checking)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut turn = None;
        loop {
            if turn.is_none() && self.is_outside() {
                turn = Some(self.turns.acquire(self.client).await);
            }
            let Some(piece) = self.kept.next().await.transpose()? else {
                return self.compare();
            };
            self.hash.update(&piece);
            let piece = self.within_range(&piece);
            if !piece.is_empty()
                && let Some(before) = self.last.replace(piece)
            {
                return Ok(Some(before));
            }
        }
    }

    /// Whether what is read next is not sent.
    fn is_outside(&self) -> bool {
        self.position < self.bytes && !self.range.contains(&self.position)
    }

    /// What is to be sent of the piece that was read next.
    fn within_range(&mut self, piece: &Bytes) -> Bytes {
        let begin = self.position;
        self.position += piece.len() as u64;
        let within = |place: u64| {
            let place = usize::try_from(place.saturating_sub(begin));
            place.unwrap_or(usize::MAX).min(piece.len())
        };
        piece.slice(within(self.range.start)..within(self.range.end))
    }

    /// The last piece, if all was what was kept.
    fn compare(&mut self) -> Result<Option<Bytes>, Error> {
        let hash = hex::encode(self.hash.finalize_reset());
        match self.expected.take() {
            Some(expected) if expected != hash => Err(Error::Altered),
            Some(_) | None => Ok(self.last.take()),
        }
    }
}

#[cfg(test)]
mod tests;
