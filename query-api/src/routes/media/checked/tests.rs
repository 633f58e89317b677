use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::iter;
use futures::{FutureExt, TryStreamExt};

use super::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn turns() -> Turns {
    Arc::new(FairSemaphore::new(1))
}

fn body(
    kept: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    file: &[u8],
    sent: Range<u64>,
    turns: &Turns,
) -> axum::body::BodyDataStream {
    let file = Expected {
        sha256: hex::encode(Sha256::digest(file)),
        bytes: file.len() as u64,
    };
    range(kept.boxed(), file, sent, Arc::clone(turns), CLIENT).into_data_stream()
}

/// What is sent of a range of a file that should be "abcdef", until it breaks off.
async fn sent(pieces: &'static [&'static str], range: Range<u64>) -> (Vec<String>, bool) {
    let kept = iter(pieces).map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
    let body = body(kept, b"abcdef", range, &turns());
    let mut sent = Vec::new();
    let whole = body.try_for_each(|piece| {
        sent.push(String::from_utf8(piece.to_vec()).unwrap());
        std::future::ready(Ok(()))
    });
    let is_whole = whole.await.is_ok();
    (sent, is_whole)
}

#[tokio::test]
async fn a_range_is_sent_to_its_end_only_if_the_file_is_the_one_that_was_kept() {
    for (pieces, range, expected, is_whole) in [
        (&["abcdef"][..], 0..6, &["abcdef"][..], true),
        (&["ab", "cd", "ef"], 0..6, &["ab", "cd", "ef"], true),
        (&["ab", "cd", "eg"], 0..6, &["ab", "cd"], false),
        (&["ax", "cd", "ef"], 0..6, &["ax", "cd"], false),
        (&["ab", "cd"], 0..6, &["ab"], false),
        (&["abcdeg"], 0..6, &[], false),
        (&[], 0..6, &[], false),
        (&["abcdef"], 2..3, &["c"], true),
        (&["ab", "cd", "ef"], 1..5, &["b", "cd", "e"], true),
        (&["ab", "cd", "ef"], 2..4, &["cd"], true),
        (&["ab", "cd", "ef"], 0..1, &["a"], true),
        (&["ab", "cd", "ef"], 5..6, &["f"], true),
        // Altered or lost before the range, within it, and behind it.
        (&["xb", "cd", "ef"], 2..6, &["cd"], false),
        (&["ab", "cx", "ef"], 2..4, &[], false),
        (&["ab", "cx", "ef"], 0..4, &["ab"], false),
        (&["ab", "cd", "ex"], 0..1, &[], false),
        (&["ab", "cd"], 0..1, &[], false),
        (&["ab"], 3..4, &[], false),
    ] {
        let (found, whole) = sent(pieces, range.clone()).await;
        let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        assert_eq!((found, whole), (expected, is_whole), "{pieces:?} {range:?}");
    }
}

/// A piece that is counted as long as it is kept.
struct Piece {
    bytes: Vec<u8>,
    kept: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_range_of_a_large_file_takes_the_memory_of_a_few_pieces() {
    const PIECE: usize = 8_192;
    const PIECES: usize = 1_000;
    let file = vec![7; PIECE * PIECES];
    let bytes = file.len() as u64;
    for range in [0..1, 500_000..501_000, 10..bytes - 10, bytes - 1..bytes] {
        let (kept, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let pieces = iter(0..PIECES).map({
            let (kept, most) = (Arc::clone(&kept), Arc::clone(&most));
            move |_| {
                let count = kept.fetch_add(1, Ordering::Relaxed) + 1;
                most.fetch_max(count, Ordering::Relaxed);
                let kept = Arc::clone(&kept);
                let bytes = vec![7; PIECE];
                Ok(Bytes::from_owner(Piece { bytes, kept }))
            }
        });
        let sent = body(pieces, &file, range.clone(), &turns());
        let count = |sum, piece: Bytes| std::future::ready(Ok(sum + piece.len() as u64));
        let sent = sent.try_fold(0, count).await.unwrap();
        assert_eq!(sent, range.end - range.start);
        let most = most.load(Ordering::Relaxed);
        assert!(most <= 2, "{most} pieces are kept of {range:?}");
    }
}

#[tokio::test]
async fn what_is_not_sent_is_read_in_turn_and_what_is_sent_at_once() {
    let turns = turns();
    let next = |range| {
        let kept = iter(["ab", "cd", "ef"]).map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let mut body = body(kept, b"abcdef", range, &turns);
        async move { body.next().await.unwrap().unwrap() }
    };
    let other = turns.acquire(OTHER).await;
    let (before, behind) = (next(4..6), next(0..2));
    let (mut before, mut behind) = (Box::pin(before), Box::pin(behind));
    assert!((&mut before).now_or_never().is_none());
    assert!((&mut behind).now_or_never().is_none());
    assert_eq!(next(0..6).await, "ab");
    assert_eq!(
        next(0..4).await,
        "ab",
        "the client takes it at its own pace"
    );
    drop(other);
    assert_eq!((before.await, behind.await), ("ef".into(), "ab".into()));
}
