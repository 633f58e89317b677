//! What was known before a batch: the append checks that it is still so, and if a group is not written, the
//! cache is made what it was before it.

use std::collections::HashMap;

use tidemark_domain::{Claim, LoadedStream};
use uuid::Uuid;

use super::conflict_groups::{ConflictGroups, ConflictKey};
use super::decided_command::DecidedCommand;
use crate::executor::cache::Cache;

/// The versions, owners and states that were known before the batch.
#[derive(Default)]
pub(in crate::executor) struct Baseline {
    /// The versions of streams.
    pub(super) versions: HashMap<Uuid, i64>,
    /// The owners of claims.
    pub(super) owners: HashMap<Claim, Option<Uuid>>,
    /// The states of the streams that the batch writes; none if the stream was not in the cache.
    pub(super) states: HashMap<Uuid, Option<LoadedStream>>,
}

impl Baseline {
    /// Takes the writes of whole groups out of the cache.
    pub(in crate::executor) fn restore(&mut self, commands: &[DecidedCommand], cache: &mut Cache) {
        for key in commands.iter().flat_map(DecidedCommand::keys_written) {
            match key {
                ConflictKey::Stream(id) => {
                    // A stream that several commands write is restored once.
                    if let Some(before) = self.states.remove(&id) {
                        cache.restore_stream(id, before);
                    }
                }
                ConflictKey::Claim(claim) => match self.owners.get(&claim) {
                    Some(owner) => cache.insert_claim(claim, *owner),
                    None => cache.evict_claim(&claim),
                },
                ConflictKey::SubjectKey(_) => {}
            }
        }
    }

    /// Forgets what no command of the batch uses any more.
    pub(super) fn forget_unused(&mut self, groups: &ConflictGroups) {
        let is_used = |id: &Uuid| groups.uses(&ConflictKey::Stream(*id));
        self.versions.retain(|id, _| is_used(id));
        self.owners
            .retain(|claim, _| groups.uses(&ConflictKey::Claim(claim.clone())));
    }
}
