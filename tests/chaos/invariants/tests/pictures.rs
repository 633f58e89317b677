//! What became of uploaded pictures.

use tidemark_events::media::media::StoredVariant;
use tidemark_events::samples;
use tidemark_events::samples::MEDIA;

use super::*;
use crate::invariants::pictures::{Bytes, lost_or_altered, stored};

/// A log in which one picture is stored, and the bytes of its sizes as the log names them.
fn one_picture() -> (Vec<Recorded>, Bytes) {
    let samples = samples::all().into_iter();
    let mut log = samples.map(|event| recorded(1, 1, id(1), &event));
    let log = vec![log.find(|it| it.event_type == "media.stored").unwrap()];
    let sizes = stored(&log).flat_map(|(media, sizes)| {
        let size = move |size: StoredVariant| {
            let sha256 = size.sha256.as_str().to_owned();
            ((media, size.variant), Some(sha256))
        };
        sizes.into_iter().map(size)
    });
    let bytes = sizes.collect();
    (log, bytes)
}

fn uploaded() -> Entry {
    Entry::Uploaded { media: MEDIA.0 }
}

#[test]
fn pictures_that_are_stored_once_with_their_bytes_are_right() {
    let (log, bytes) = one_picture();
    assert_eq!(lost_or_altered(&[uploaded()], &log, &bytes), [""; 0]);
}

#[test]
fn pictures_that_are_lost_or_stored_twice_are_seen() {
    let (log, bytes) = one_picture();
    assert_eq!(lost_or_altered(&[uploaded()], &[], &bytes).len(), 1);
    let twice = [log.clone(), log].concat();
    assert_eq!(lost_or_altered(&[uploaded()], &twice, &bytes).len(), 1);
    let lost_with_the_log = [uploaded(), Entry::LogSetBack { head: 0 }];
    assert_eq!(lost_or_altered(&lost_with_the_log, &[], &bytes), [""; 0]);
}

#[test]
fn bytes_that_are_missing_or_others_are_seen() {
    let (log, bytes) = one_picture();
    assert_eq!(lost_or_altered(&[], &log, &Bytes::new()).len(), bytes.len());
    let mut altered = bytes;
    *altered.values_mut().next().unwrap() = Some("00".repeat(32));
    assert_eq!(lost_or_altered(&[], &log, &altered).len(), 1);
}
