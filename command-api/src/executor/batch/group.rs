//! Makes of the commands of one group what the append checks and writes for them.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_domain::Write;
use tidemark_event_store::Group;

use super::{Baseline, DecidedCommand};
use crate::executor::cache::Cache;

/// What the append of the batch with this number checks and writes for `commands`. Moves their events into the group.
pub(super) fn build_group(
    commands: &mut [DecidedCommand],
    baseline: &Baseline,
    cache: &mut Cache,
    number: i64,
) -> Group {
    let mut group = Group::default();
    let mut streams = BTreeSet::new();
    let mut claims_read = BTreeSet::new();
    let mut claims_written = BTreeMap::new();
    for command in commands {
        streams.extend(command.reads.streams.keys().copied());
        streams.extend(command.streams_written());
        claims_read.extend(command.reads.claims.keys().cloned());
        for write in &command.writes {
            match write {
                Write::Claim(claim, owner) => claims_written.insert(claim.clone(), Some(*owner)),
                Write::Release(claim) => claims_written.insert(claim.clone(), None),
                Write::Event(..) => None,
            };
        }
        group
            .idempotency_records
            .extend(command.idempotency_record(group.events.len()));
        group.events.append(&mut command.events);
        if command.is_accepted() {
            let subject_keys = &command.queued.submission.subject_keys;
            group.subject_keys.extend(subject_keys.iter().cloned());
        }
    }
    let version = |id| baseline.versions.get(&id).copied().unwrap_or(0);
    for id in streams {
        if cache.is_known(id) {
            group.known_streams.push((id, version(id)));
        } else {
            cache.set_asked(id, number);
            group.streams.push((id, version(id)));
        }
    }
    group.claims_read = claims_read
        .into_iter()
        .map(|claim| {
            let owner = baseline.owners.get(&claim).copied().flatten();
            (claim.scope.name(), claim.key, owner)
        })
        .collect();
    group.claims_written = claims_written
        .into_iter()
        .map(|(claim, owner)| (claim.scope.name(), claim.key, owner))
        .collect();
    group
}
