//! What follows from the answer to an append: commands are settled and answered, or decided again.

use std::collections::HashSet;
use std::io;
use std::time::Instant;

use metrics::counter;
use tidemark_event_store::{AppendOutcome, Appended, Conflict};
use tidemark_events::LogPoint;
use uuid::Uuid;

use super::CommitLoop;
use super::append_in_flight::{AppendAnswer, AppendInFlight};
use crate::error::Error;
use crate::executor::batch::{Baseline, ConflictKey, DecidedCommand, Decision};
use crate::executor::idempotency::replayed_answer;
use crate::executor::submission::{Accepted, Answer};

/// A command whose decision the append has confirmed: its events are in the log, or its refusal holds.
pub(in crate::executor) struct Settled {
    pub(in crate::executor) command: DecidedCommand,
    /// The position of the command's last event.
    pub(in crate::executor) position: i64,
}

/// A group that was not written.
struct Unwritten<'a> {
    commands: Vec<DecidedCommand>,
    conflicts: &'a [Conflict],
}

impl Unwritten<'_> {
    /// The streams and claims that its commands write, and those that have moved.
    fn keys(&self) -> impl Iterator<Item = ConflictKey> {
        let moved = self.conflicts.iter().filter_map(|conflict| match conflict {
            Conflict::Stream { id, .. } => Some(ConflictKey::Stream(*id)),
            Conflict::Claim { scope, key, .. } => {
                let claim = self.commands.iter().find_map(|c| c.claim_read(scope, key));
                claim.cloned().map(ConflictKey::Claim)
            }
            Conflict::IdempotencyRecord { .. } | Conflict::SubjectKey { .. } => None,
        });
        let written = self.commands.iter().flat_map(DecidedCommand::keys_written);
        written.chain(moved)
    }
}

impl CommitLoop {
    /// Handles the answer to the append in flight. Returns the commands that are settled by it.
    pub(super) async fn handle_answer(&mut self, answer: AppendAnswer) -> Vec<Settled> {
        let Some(append) = self.in_flight.take() else {
            return Vec::new();
        };
        match answer.unwrap_or_else(|_| Err(io::Error::other("the append panicked").into())) {
            Ok(AppendOutcome::Appended(appended)) => {
                // Its number was this executor's next one, so the log holds all that was there before.
                self.records.confirm(append.started);
                self.follow_head(&append, &appended);
                if append.forks {
                    self.begin_anew().await;
                } else if appended.conflicts.is_empty() {
                    // All that the next batch rests on became true: the append need not wait until
                    // this one is settled.
                    self.send_batch();
                }
                append.record_metrics();
                self.clock.follow(appended.at, append.started);
                self.settle(append, &appended)
            }
            Ok(AppendOutcome::Late(now)) => {
                tracing::warn!("a batch reached the log too late and is decided again");
                counter!("tidemark_executor_late_batches_total").increment(1);
                self.clock.follow(now, append.started);
                self.decide_all_again(append)
            }
            Ok(AppendOutcome::Early(now)) => {
                tracing::warn!(
                    "a batch was decided ahead of Postgres's clock and is decided again"
                );
                counter!("tidemark_executor_early_batches_total").increment(1);
                // The clock is known to be ahead, however long the answer took.
                self.clock.follow(now, Instant::now());
                self.decide_all_again(append)
            }
            Ok(AppendOutcome::NotCurrent) => {
                tracing::error!("this executor's row is gone, and all states are loaded anew");
                self.begin_anew().await;
                self.decide_again(append.groups.into_iter().flatten().collect());
                Vec::new()
            }
            Err(error) => {
                tracing::error!(%error, batch = self.batch_number, "the outcome of an append is unknown");
                counter!("tidemark_executor_unknown_outcomes_total").increment(1);
                self.resolve(append).await
            }
        }
    }

    /// Remembers where the log ends after an append, and whether another executor has appended before it.
    fn follow_head(&mut self, append: &AppendInFlight, appended: &Appended) {
        if self.known_head != Some(appended.head) {
            self.cache.note_foreign_append();
        }
        self.known_head = Some(append.head_after(appended));
    }

    /// Returns the commands of the groups that were written. The others are decided again.
    fn settle(&mut self, mut append: AppendInFlight, appended: &Appended) -> Vec<Settled> {
        self.loading.save_snapshots(append.long_streams);
        let failed: HashSet<usize> = appended.conflicts.iter().map(Conflict::group).collect();
        let mut settled = Vec::new();
        let mut position = appended.head;
        // Each of the groups that were not written has conflicts, and these are in the order of the groups.
        let mut conflicts = (appended.conflicts).chunk_by(|one, next| one.group() == next.group());
        let mut unwritten = Vec::new();
        for (number, commands) in append.groups.into_iter().enumerate() {
            if failed.contains(&number) {
                let conflicts = conflicts.next().unwrap_or_default();
                unwritten.push(Unwritten {
                    commands,
                    conflicts,
                });
                continue;
            }
            self.remember_appended(position + 1, append.first_event_ids[number]);
            for command in &commands {
                for id in command.streams_written() {
                    self.cache.set_recorded_at(id, appended.at);
                    self.cache.set_found(id, append.number);
                }
                for id in command.streams_read() {
                    self.cache.set_found(id, append.number);
                }
            }
            position = settle_group(commands, position, &mut settled);
        }
        if !failed.is_empty() {
            counter!("tidemark_executor_conflicts_total").increment(failed.len() as u64);
            self.retry(unwritten, &mut append.baseline);
        }
        self.records
            .insert_settled(&settled, appended.at, self.timeline);
        settled
    }

    /// Remembers an event of this executor that is in the log, by which it notices if the log is set back.
    pub(super) fn remember_appended(&mut self, position: i64, event_id: Option<Uuid>) {
        if event_id.is_some() {
            self.last_appended = Some(LogPoint { position, event_id });
        }
    }

    /// Handles the groups that were not written: learns what moved, answers the commands that can never be written, and
    /// has the others decided again, with those of the next batch that rest on them.
    fn retry(&mut self, unwritten: Vec<Unwritten<'_>>, baseline: &mut Baseline) {
        let keys = unwritten.iter().flat_map(Unwritten::keys).collect();
        let next = self.batch.withdraw_users(&keys, &mut self.cache);
        for Unwritten { commands, .. } in &unwritten {
            baseline.restore(commands, &mut self.cache);
        }
        let mut streams = HashSet::new();
        for group in &unwritten {
            for conflict in group.conflicts {
                self.learn(conflict, &group.commands, &mut streams);
            }
        }
        let mut again = Vec::new();
        for Unwritten {
            commands,
            conflicts,
        } in unwritten
        {
            for command in commands {
                match self.answer_to_conflict(&command, conflicts) {
                    Some(answer) => command.queued.answer(answer),
                    None => again.push(command),
                }
            }
        }
        again.extend(next);
        for command in &mut again {
            command.queued.is_contended = true;
        }
        self.decide_again(again);
    }

    /// Takes into the cache what these commands did not know. `streams` are those that it was told of before.
    fn learn(
        &mut self,
        conflict: &Conflict,
        commands: &[DecidedCommand],
        streams: &mut HashSet<Uuid>,
    ) {
        match conflict {
            Conflict::Stream { id, unseen, .. } => {
                if streams.insert(*id) {
                    self.cache.catch_up(*id, unseen);
                }
            }
            Conflict::Claim {
                scope, key, owner, ..
            } => {
                let claim = commands.iter().find_map(|c| c.claim_read(scope, key));
                if let Some(claim) = claim {
                    self.cache.insert_claim(claim.clone(), *owner);
                }
            }
            Conflict::IdempotencyRecord { record, .. } => {
                self.records.insert(record.clone(), self.timeline);
            }
            Conflict::SubjectKey { .. } => {}
        }
    }

    /// The answer to a command that was accepted before under its idempotency key, or whose subject was
    /// erased. Other conflicts are no answer, but a reason to decide again.
    fn answer_to_conflict(
        &self,
        command: &DecidedCommand,
        conflicts: &[Conflict],
    ) -> Option<Answer> {
        let submission = &command.queued.submission;
        conflicts.iter().find_map(|conflict| match conflict {
            Conflict::SubjectKey { subject, .. } => {
                let is_erased = submission
                    .subject_keys
                    .iter()
                    .any(|key| key.subject == *subject);
                is_erased.then_some(Err(Error::SubjectErased))
            }
            Conflict::IdempotencyRecord { record, .. } => {
                let sent = submission.idempotency.as_ref()?;
                (record.id == sent.id).then(|| replayed_answer(record, sent, self.timeline))
            }
            Conflict::Stream { .. } | Conflict::Claim { .. } => None,
        })
    }

    /// Decides a whole batch again, of which nothing was written, and the next one, which rests on it. No
    /// command is settled by that.
    fn decide_all_again(&mut self, mut append: AppendInFlight) -> Vec<Settled> {
        let next = self.batch.withdraw(&mut self.cache);
        let mut commands: Vec<_> = append.groups.into_iter().flatten().collect();
        append.baseline.restore(&commands, &mut self.cache);
        commands.extend(next);
        self.decide_again(commands);
        Vec::new()
    }

    /// Queues commands to be decided again, before all others.
    pub(super) fn decide_again(&mut self, commands: Vec<DecidedCommand>) {
        let commands = commands.into_iter().map(|command| command.queued);
        self.queue.push_again(commands);
    }

    /// Queues commands to be decided again, before all others, on states that are loaded anew.
    pub(super) fn decide_evicted_again(
        &mut self,
        commands: impl DoubleEndedIterator<Item = DecidedCommand>,
    ) {
        let cache = &mut self.cache;
        self.queue.push_again(commands.map(|command| {
            command.evict_from(cache);
            command.queued
        }));
    }

    /// Answers settled commands, and wakes the relay.
    pub(super) fn answer(&self, settled: Vec<Settled>) {
        if !settled.is_empty() {
            self.appended.notify_one();
        }
        for Settled { command, position } in settled {
            let DecidedCommand {
                queued, decision, ..
            } = command;
            let answer = match decision {
                Decision::Accepted { version, events } => Ok(Accepted {
                    status: queued.submission.status,
                    stream_id: queued.submission.stream_id,
                    version,
                    timeline: self.timeline,
                    position,
                    events: events.into(),
                    replayed: false,
                }),
                Decision::Refused(refusal) => Err(Error::Refused(refusal)),
                Decision::VersionMismatch { current } => Err(Error::VersionMismatch { current }),
            };
            queued.answer(answer);
        }
    }
}

/// Adds the commands of a group whose events follow `position` in the log. Returns the position of the
/// group's last event.
pub(super) fn settle_group(
    commands: Vec<DecidedCommand>,
    mut position: i64,
    settled: &mut Vec<Settled>,
) -> i64 {
    for command in commands {
        position += i64::try_from(command.event_count()).unwrap_or(0);
        settled.push(Settled { command, position });
    }
    position
}
