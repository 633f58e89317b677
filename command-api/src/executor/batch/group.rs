//! What the append writes and checks for the commands of a group.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidemark_domain::{Claim, Write};
use tidemark_event_store::Group;
use uuid::Uuid;

use super::Member;

/// What the append writes and checks for commands that share a group.
pub(super) fn group(
    members: &mut [Member],
    versions_before: &HashMap<Uuid, i64>,
    owners_before: &HashMap<Claim, Option<Uuid>>,
) -> Group {
    let mut group = Group::default();
    let mut streams = BTreeSet::new();
    let mut claims_read = BTreeSet::new();
    let mut claims_written = BTreeMap::new();
    for member in members {
        streams.extend(member.reads.streams.keys().copied());
        streams.extend(member.streams_written());
        claims_read.extend(member.reads.claims.keys().cloned());
        for write in &member.writes {
            match write {
                Write::Claim(claim, owner) => claims_written.insert(claim.clone(), Some(*owner)),
                Write::Release(claim) => claims_written.insert(claim.clone(), None),
                Write::Event(..) => None,
            };
        }
        group
            .idempotency_records
            .extend(member.record(group.events.len()));
        group.events.append(&mut member.events);
        if member.is_accepted() {
            group
                .subject_keys
                .extend(member.job.submission.subject_keys.iter().cloned());
        }
    }
    let version = |id| versions_before.get(&id).copied().unwrap_or(0);
    group.streams = streams.into_iter().map(|id| (id, version(id))).collect();
    group.claims_read = claims_read
        .into_iter()
        .map(|claim| {
            let owner = owners_before.get(&claim).copied().flatten();
            (claim.scope.name(), claim.key, owner)
        })
        .collect();
    group.claims_written = claims_written
        .into_iter()
        .map(|(claim, owner)| (claim.scope.name(), claim.key, owner))
        .collect();
    group
}
