//! What became of uploaded pictures, by the log and by the bytes that queries answer with.

use std::collections::BTreeMap;

use tidemark_events::media::media;
use tidemark_events::media::media::{StoredVariant, Variant};
use tidemark_events::{Event, Recorded};
use uuid::Uuid;

use crate::journal::Entry;

/// The SHA-256 of what queries answer with, of each picture in each size; none if they do not.
pub(crate) type Bytes = BTreeMap<(Uuid, Variant), Option<String>>;

/// The pictures in the log, with all their sizes.
pub(crate) fn stored(log: &[Recorded]) -> impl Iterator<Item = (Uuid, Vec<StoredVariant>)> {
    log.iter().filter_map(|recorded| match recorded.decode() {
        Ok(Event::Media(media::Event::MediaStored {
            media_id, variants, ..
        })) => Some((media_id.0, variants)),
        _ => None,
    })
}

/// [`super::PICTURE_LOST_OR_ALTERED`].
pub(crate) fn lost_or_altered(journal: &[Entry], log: &[Recorded], bytes: &Bytes) -> Vec<String> {
    let mut times = BTreeMap::<Uuid, usize>::new();
    let mut violations = Vec::new();
    for (media, variants) in stored(log) {
        *times.entry(media).or_default() += 1;
        for StoredVariant {
            variant, sha256, ..
        } in variants
        {
            let found = bytes.get(&(media, variant)).cloned().flatten();
            if found.as_deref() != Some(sha256.as_str()) {
                violations.push(format!(
                    "picture {media} as {variant:?} has the bytes {found:?}, not {sha256:?}"
                ));
            }
        }
    }
    for media in uploaded(journal) {
        let times = times.get(&media).copied().unwrap_or_default();
        if times != 1 {
            violations.push(format!(
                "picture {media} was uploaded, and is {times} times in the log"
            ));
        }
    }
    violations
}

/// The pictures whose uploads were answered, without those that were lost with the log.
fn uploaded(journal: &[Entry]) -> Vec<Uuid> {
    let mut uploaded = Vec::new();
    for entry in journal {
        if let Entry::Uploaded { media } = entry {
            uploaded.push(*media);
        } else if matches!(entry, Entry::LogSetBack { .. }) {
            uploaded.clear();
        }
    }
    uploaded
}
