//! The bytes of public media, which are compared with their hash while they are sent.

use std::io;

use axum::body::{Body, Bytes};
use futures::stream::{BoxStream, Fuse};
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tidemark_platform::media_store::Error;

/// A whole file with this SHA-256. The last piece is sent only once all are known to be what was kept, so that of a file that the
/// store has altered, or lost the end of, nobody takes what came for the whole.
pub(super) fn whole(kept: BoxStream<'static, Result<Bytes, Error>>, sha256: &str) -> Body {
    let checking = Checking {
        kept: kept.fuse(),
        hash: Sha256::new(),
        expected: sha256.to_owned(),
        last: None,
    };
    Body::from_stream(checking.pieces())
}

/// A file that is being sent.
struct Checking {
    kept: Fuse<BoxStream<'static, Result<Bytes, Error>>>,
    hash: Sha256,
    expected: String,
    /// What came last, and was not sent.
    last: Option<Bytes>,
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
        while let Some(piece) = self.kept.next().await.transpose()? {
            self.hash.update(&piece);
            if let Some(before) = self.last.replace(piece) {
                return Ok(Some(before));
            }
        }
        let last = self.last.take();
        if last.is_some() && hex::encode(self.hash.finalize_reset()) != self.expected {
            return Err(Error::Altered);
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use futures::stream::iter;

    use super::*;

    /// What is sent of a file that should be "abcdef", until it breaks off.
    async fn sent(pieces: &'static [&'static str]) -> (Vec<String>, bool) {
        let kept = iter(pieces).map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let sha256 = hex::encode(Sha256::digest("abcdef"));
        let body = whole(kept.boxed(), &sha256).into_data_stream();
        let mut sent = Vec::new();
        let whole = body.try_for_each(|piece| {
            sent.push(String::from_utf8(piece.to_vec()).unwrap());
            std::future::ready(Ok(()))
        });
        let is_whole = whole.await.is_ok();
        (sent, is_whole)
    }

    #[tokio::test]
    async fn a_file_is_sent_to_its_end_only_if_it_is_the_one_that_was_kept() {
        for (pieces, expected, is_whole) in [
            (&["abcdef"][..], &["abcdef"][..], true),
            (&["ab", "cd", "ef"], &["ab", "cd", "ef"], true),
            (&["ab", "cd", "eg"], &["ab", "cd"], false),
            (&["ax", "cd", "ef"], &["ax", "cd"], false),
            (&["ab", "cd"], &["ab"], false),
            (&["abcdeg"], &[], false),
        ] {
            let (found, whole) = sent(pieces).await;
            assert_eq!((&*found, whole), (&*to_strings(expected), is_whole));
        }
    }

    fn to_strings(pieces: &[&str]) -> Vec<String> {
        pieces.iter().map(ToString::to_string).collect()
    }
}
