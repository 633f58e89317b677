//! Makes of the commands of one group what the append checks and writes for them.
//!
//! Each command says its part as soon as it is decided, while Postgres works on the batch before: between two appends
//! only the parts of commands that share a group are put together.

use std::collections::BTreeMap;
use std::mem;

use tidemark_domain::Write;
use tidemark_event_store::Group;

use super::{Baseline, DecidedCommand};
use crate::executor::cache::Cache;

impl DecidedCommand {
    /// Adds to the command's part of its group, which holds its events, what else the append checks and writes for it.
    /// `baseline` has all that it uses.
    pub(super) fn complete_part(&mut self, baseline: &Baseline) {
        let record = self.idempotency_record();
        let is_accepted = self.is_accepted();
        let part = &mut self.part;
        let read = self.reads.streams.keys().copied();
        let written = part.events.iter().map(|event| event.stream_id);
        let version = |id| baseline.versions.get(&id).copied().unwrap_or(0);
        part.streams = read.chain(written).map(|id| (id, version(id))).collect();
        for claim in self.reads.claims.keys() {
            let owner = baseline.owners.get(claim).copied().flatten();
            let read = (claim.scope.name(), claim.key.clone(), owner);
            part.claims_read.push(read);
        }
        for write in &self.writes {
            let (claim, owner) = match write {
                Write::Claim(claim, owner) => (claim, Some(*owner)),
                Write::Release(claim) => (claim, None),
                Write::Event(..) => continue,
            };
            let written = (claim.scope.name(), claim.key.clone(), owner);
            part.claims_written.push(written);
        }
        part.idempotency_records.extend(record);
        if is_accepted {
            let subject_keys = &self.queued.submission.subject_keys;
            part.subject_keys.extend(subject_keys.iter().cloned());
        }
    }
}

/// What the append of the batch with this number checks and writes for `commands`, whose parts it takes.
pub(super) fn unite_parts(
    commands: &mut [DecidedCommand],
    cache: &mut Cache,
    number: i64,
) -> Group {
    let mut parts = commands
        .iter_mut()
        .map(|command| mem::take(&mut command.part));
    let mut group = parts.next().unwrap_or_default();
    parts.for_each(|part| add(&mut group, part));
    keep_one_of_each(&mut group);
    let streams = mem::take(&mut group.streams).into_iter();
    (group.known_streams, group.streams) = streams.partition(|(id, _)| cache.is_known(*id));
    for (id, _) in &group.streams {
        cache.set_asked(*id, number);
    }
    group
}

/// Adds the part of the next command to its group.
fn add(group: &mut Group, mut part: Group) {
    for record in &mut part.idempotency_records {
        record.last_event = record.last_event.map(|place| place + group.events.len());
    }
    group.events.append(&mut part.events);
    group.streams.append(&mut part.streams);
    group.claims_read.append(&mut part.claims_read);
    group.claims_written.append(&mut part.claims_written);
    group
        .idempotency_records
        .append(&mut part.idempotency_records);
    group.subject_keys.append(&mut part.subject_keys);
}

/// Removes what is read repeatedly, and all but the last owner that a claim gets.
fn keep_one_of_each(group: &mut Group) {
    group.streams.sort_unstable();
    group.streams.dedup();
    group.claims_read.sort_unstable();
    group.claims_read.dedup();
    let owners: BTreeMap<_, _> = group
        .claims_written
        .drain(..)
        .map(|(scope, key, owner)| ((scope, key), owner))
        .collect();
    let written = owners.into_iter();
    group.claims_written = written
        .map(|((scope, key), owner)| (scope, key, owner))
        .collect();
}
