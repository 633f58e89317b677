//! The commands of the next append: decides them in order, and sorts them into groups.
//!
//! Deciding applies a command's writes to the cache, which then is ahead of the log.

mod baseline;
mod conflict_groups;
mod decided_command;
mod group;

use std::collections::{BTreeMap, HashSet};
use std::mem;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tidemark_domain::{Load, States, Stop, View};
use tidemark_event_store::Group;
use tidemark_events::Timestamp;
use tidemark_platform::config::Executor as Settings;

pub(super) use self::baseline::Baseline;
pub(super) use self::conflict_groups::ConflictKey;
pub(super) use self::decided_command::{DecidedCommand, Decision};

use self::conflict_groups::ConflictGroups;
use self::group::unite_parts;
use super::cache::Cache;
use super::queue::QueuedCommand;
use crate::error::Error;

/// What came of deciding one command.
pub(super) enum DecideResult {
    /// The command is in the batch, accepted or refused.
    InBatch,
    /// The decision needs the last of these, and the others soon. They are not in the cache.
    NeedsLoads(Vec<Load>, QueuedCommand),
    /// The command was accepted, but its events cannot be appended.
    Failed(QueuedCommand, Error),
}

/// The commands of one append.
#[derive(Default)]
pub(super) struct Batch {
    commands: Vec<DecidedCommand>,
    groups: ConflictGroups,
    baseline: Baseline,
    /// The size of the commands' events.
    bytes: usize,
    /// When the first and the last command were decided.
    decided_at: Option<(Timestamp, Timestamp)>,
}

impl Batch {
    /// Decides a command. If it gets into the batch, its writes are applied to the cache.
    pub(super) fn decide(
        &mut self,
        command: QueuedCommand,
        cache: &mut Cache,
        now: Timestamp,
        limits: &Settings,
    ) -> DecideResult {
        let submission = &command.submission;
        let actor = &submission.metadata.actor;
        let view = View::new(cache, actor, submission.session, now);
        // A defect of one command must not end the loop that decides all. A decision changes only its view.
        let decision = AssertUnwindSafe(|| submission.command.decide(&view));
        let Ok(result) = catch_unwind(decision) else {
            drop(view);
            return DecideResult::Failed(command, Error::internal("a decision panicked"));
        };
        let decided_at = view.now();
        let reads = view.into_reads();
        let mismatch = submission.expected_versions.as_ref().and_then(|expected| {
            let read = reads.streams.get(&submission.stream_id).copied();
            // A command that creates a stream does not read it: its version is 0.
            let current = read.or_else(|| result.is_ok().then_some(0))?;
            let is_hidden =
                matches!(&result, Err(Stop::Refused(refusal)) if refusal.hides_its_object());
            (!is_hidden && !expected.contains(&current))
                .then_some(Decision::VersionMismatch { current })
        });
        let (decision, writes) = match (mismatch, result) {
            (_, Err(Stop::Load(load))) => {
                let roots = submission.roots().into_iter();
                let missing = roots.filter(|id| cache.version(*id).is_none());
                let loads = missing.map(Load::Stream).chain([load]).collect();
                return DecideResult::NeedsLoads(loads, command);
            }
            (Some(mismatch), _) => (mismatch, Vec::new()),
            (None, Err(Stop::Refused(refusal))) => (Decision::Refused(refusal), Vec::new()),
            (None, Ok(writes)) => (Decision::accepted(&writes), writes),
        };
        let mut decided = DecidedCommand::new(command, decision, reads, writes);
        if let Err(error) = decided.encode_events(limits) {
            return DecideResult::Failed(decided.queued, error);
        }
        cache.mark_used(decided.reads.streams.keys(), decided.reads.claims.keys());
        let (_, last) = self.decided_at.get_or_insert((now, now));
        *last = now;
        self.extend_baseline(&decided, cache);
        decided.apply_to(cache, decided_at);
        decided.complete_part(&self.baseline);
        if decided.is_accepted() {
            for claim in decided.queued.submission.command.unowned() {
                cache.insert_unknown_claim(claim, None);
            }
        }
        self.push(decided);
        DecideResult::InBatch
    }

    /// Whether there is nothing to check and nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether another command may be added.
    pub(super) fn has_room(&self, limits: &Settings) -> bool {
        self.commands.len() < limits.batch_max && self.bytes < limits.batch_bytes_max
    }

    /// When the log may take the batch: its decisions are neither older than the limits allow, nor further
    /// ahead. None if the batch has no decision.
    pub(super) fn valid(&self, limits: &Settings) -> Option<RangeInclusive<Timestamp>> {
        let (first, last) = self.decided_at?;
        let from = last - Duration::from_millis(limits.decision_ahead_max_ms);
        let until = first + Duration::from_millis(limits.decision_age_max_ms);
        Some(from..=until)
    }

    /// Whether so much of the time is over for which the decisions are valid that they should not be sent.
    pub(super) fn is_old(&self, now: Timestamp, limits: &Settings) -> bool {
        let age_max = Duration::from_millis(limits.decision_age_max_ms / 2);
        self.decided_at
            .is_some_and(|(first, _)| first + age_max < now)
    }

    /// The groups to append as the batch with this number, for each group its commands in order, and what was known
    /// before all of them.
    pub(super) fn into_groups(
        self,
        cache: &mut Cache,
        number: i64,
    ) -> (Vec<Group>, Vec<Vec<DecidedCommand>>, Baseline) {
        let mut groups: BTreeMap<usize, Vec<DecidedCommand>> = BTreeMap::new();
        for (number, command) in self.commands.into_iter().enumerate() {
            let first = self.groups.first_of_group(number);
            groups.entry(first).or_default().push(command);
        }
        let (groups, commands) = groups
            .into_values()
            .map(|mut commands| {
                let group = unite_parts(&mut commands, cache, number);
                (group, commands)
            })
            .unzip();
        (groups, commands, self.baseline)
    }

    /// The commands, whose writes are still in the cache.
    pub(super) fn into_commands(self) -> Vec<DecidedCommand> {
        self.commands
    }

    /// Takes all commands out, and their writes out of the cache.
    pub(super) fn withdraw(&mut self, cache: &mut Cache) -> Vec<DecidedCommand> {
        let mut batch = mem::take(self);
        batch.baseline.restore(&batch.commands, cache);
        batch.commands
    }

    /// Takes the groups out that read or wrote one of `keys`, and their writes out of the cache.
    pub(super) fn withdraw_users(
        &mut self,
        keys: &HashSet<ConflictKey>,
        cache: &mut Cache,
    ) -> Vec<DecidedCommand> {
        let commands = mem::take(&mut self.commands);
        let groups = mem::take(&mut self.groups);
        self.bytes = 0;
        let used: HashSet<_> = (0..)
            .zip(&commands)
            .filter(|(_, command)| command.uses(keys))
            .map(|(number, _)| groups.first_of_group(number))
            .collect();
        let mut taken = Vec::new();
        for (number, command) in commands.into_iter().enumerate() {
            if used.contains(&groups.first_of_group(number)) {
                taken.push(command);
            } else {
                self.push(command);
            }
        }
        self.baseline.restore(&taken, cache);
        self.baseline.forget_unused(&self.groups);
        taken
    }

    fn push(&mut self, command: DecidedCommand) {
        self.groups
            .add(&command.keys_written(), command.keys_read());
        self.bytes += command.event_bytes();
        self.commands.push(command);
    }

    /// Adds to the baseline what the command is the first of the batch to use.
    fn extend_baseline(&mut self, command: &DecidedCommand, cache: &Cache) {
        let Baseline {
            versions,
            owners,
            states,
        } = &mut self.baseline;
        for (id, version) in &command.reads.streams {
            versions.entry(*id).or_insert(*version);
        }
        for event in &command.part.events {
            let id = event.stream_id;
            let version = cache.version(id).unwrap_or(0);
            versions.entry(id).or_insert(version);
            states
                .entry(id)
                .or_insert_with(|| cache.stream(id).cloned());
        }
        for (claim, owner) in &command.reads.claims {
            owners.entry(claim.clone()).or_insert(*owner);
        }
    }
}

#[cfg(test)]
mod tests;
