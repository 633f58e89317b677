//! Finds out what became of a batch if Postgres did not answer its append.
//!
//! The outcome is never guessed: Postgres may still commit the append of a lost connection. So the executor
//! asks until it is told, in a way that also prevents a later commit, and appends nothing until then.

use std::mem;
use std::time::Instant;

use uuid::Uuid;

use super::append_in_flight::AppendInFlight;
use super::outcome::{Settled, settle_group};
use super::{CommitLoop, RETRY_PAUSE};
use crate::error::Error;
use crate::executor::queue::answer_all;

impl CommitLoop {
    /// Finds out what became of a batch, however long that takes. Returns the commands that are settled:
    /// those of the groups that were written. All others are decided again, as are those of the next
    /// batch, since they were decided on states which may not have become true.
    pub(super) async fn resolve(&mut self, append: AppendInFlight) -> Vec<Settled> {
        for command in append.groups.iter().flatten() {
            command.evict_from(&mut self.cache);
        }
        self.known_head = None;
        // After a failover, the log may have lost what they say.
        self.records.clear();
        let next_batch = mem::take(&mut self.batch).into_commands();
        self.decide_evicted_again(next_batch.into_iter());
        let is_committed = self.ask_until_resolved().await;
        self.report_last_appended().await;
        if append.forks {
            self.register_anew().await;
        }
        tracing::info!(
            batch = self.batch_number,
            is_committed,
            "the outcome of the append is known"
        );
        let mut settled = Vec::new();
        for (commands, first_event_id) in append.groups.into_iter().zip(append.first_event_ids) {
            let first_position = match first_event_id {
                Some(event_id) if is_committed => self.find_position(event_id).await,
                // A group without events left no trace in the log: its refusals are decided again.
                _ => None,
            };
            match first_position {
                Some(first) => {
                    self.remember_appended(first, first_event_id);
                    settle_group(commands, first - 1, &mut settled);
                }
                None => self.decide_evicted_again(commands.into_iter()),
            }
        }
        settled
    }

    /// Asks whether the last batch was committed until Postgres answers.
    async fn ask_until_resolved(&mut self) -> bool {
        loop {
            let resolving = self.appender.resolve(self.batch_number);
            match self.append_pool.with_timeout(resolving).await {
                Ok(is_committed) => return is_committed,
                Err(error) => {
                    tracing::warn!(%error, "Postgres cannot be asked what became of a batch");
                    self.pause().await;
                }
            }
        }
    }

    /// Has the log looked through for what this executor appended before, however long that takes. Whatever took the
    /// connection away may have been a failover to a replica without it; then this executor is forgotten.
    async fn report_last_appended(&mut self) {
        while let Err(error) = self.try_to_report().await {
            tracing::warn!(%error, "Postgres cannot be asked whether the log was set back");
            self.pause().await;
        }
    }

    /// Looks for an event until Postgres answers. Returns none if the event is not in the log.
    async fn find_position(&mut self, event_id: Uuid) -> Option<i64> {
        loop {
            match self.log.position_of(event_id).await {
                Ok(position) => return position,
                Err(error) => {
                    tracing::warn!(%error, "Postgres cannot be asked for the events of a batch");
                    self.pause().await;
                }
            }
        }
    }

    /// Waits until Postgres is asked again. Meanwhile nothing is decided, so the queued commands whose deadline has
    /// passed are answered: they were not sent to the log, and nothing is unknown about them.
    pub(super) async fn pause(&mut self) {
        let overdue = self.queue.take_overdue(Instant::now());
        answer_all(overdue, &Error::StorageUnavailable);
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
