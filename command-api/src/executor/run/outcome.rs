//! What follows from an append: answers, second decisions, and finding out what became of a batch.

use std::collections::HashSet;
use std::time::Instant;
use std::{io, mem};

use metrics::counter;
use tidemark_event_store::{AppendOutcome, Appended, Conflict};
use uuid::Uuid;

use super::{Answered, InFlight, Loop, RESOLVE_PAUSE, Standing, in_time, observe, refuse};
use crate::error::Error;
use crate::executor::batch::{Member, Verdict};
use crate::executor::replay;
use crate::executor::submission::Accepted;

impl Loop {
    /// What follows from the answer to the batch in flight. Gives the commands whose decision stands.
    pub(super) async fn settle(&mut self, outcome: Answered) -> Vec<Standing> {
        let Some(sent) = self.in_flight.take() else {
            return Vec::new();
        };
        match outcome.unwrap_or_else(|_| Err(io::Error::other("a panic").into())) {
            Ok(AppendOutcome::Appended(appended)) => {
                if appended.conflicts.is_empty() {
                    // All came to be that the next batch rests on: the log need not wait for the books.
                    self.send();
                }
                observe(&sent.groups, sent.started);
                self.keep(sent.long);
                self.take(sent.groups, &appended)
            }
            Ok(AppendOutcome::Late(at)) => {
                tracing::warn!("a batch came too late and is decided again");
                counter!("tidemark_executor_late_batches_total").increment(1);
                self.clock.follow(at);
                self.decide_anew(sent)
            }
            Ok(AppendOutcome::NotCurrent) => {
                tracing::error!("this executor's row is gone: it was idle for too long");
                self.register().await;
                self.decide_anew(sent)
            }
            Err(error) => {
                tracing::error!(%error, batch = self.batch_number, "the outcome of an append is unknown");
                counter!("tidemark_executor_unknown_outcomes_total").increment(1);
                self.resolve(sent).await
            }
        }
    }

    /// Nothing was written: all is decided again.
    fn decide_anew(&mut self, sent: InFlight) -> Vec<Standing> {
        self.decide_again(sent.groups.into_iter().flatten());
        self.take_back();
        Vec::new()
    }

    /// Keeps the states of streams that have become long. Nobody waits for it.
    fn keep(&self, streams: Vec<Uuid>) {
        if !streams.is_empty() {
            let loader = self.loader.clone();
            tokio::spawn(async move { loader.snapshot(streams).await });
        }
    }

    /// The commands of the groups that were written; the others are decided again.
    fn take(&mut self, groups: Vec<Vec<Member>>, appended: &Appended) -> Vec<Standing> {
        self.clock.follow(appended.at);
        let failed: HashSet<usize> = appended.conflicts.iter().map(Conflict::group).collect();
        let mut standing = Vec::new();
        let mut position = appended.head;
        for (place, members) in groups.into_iter().enumerate() {
            if failed.contains(&place) {
                let conflicts = appended
                    .conflicts
                    .iter()
                    .filter(|conflict| conflict.group() == place);
                self.retry_group(members, &conflicts.collect::<Vec<_>>());
                continue;
            }
            for member in members {
                for id in member.streams_written() {
                    self.cache.taken(id, appended.at);
                }
                position += i64::try_from(member.event_count()).unwrap_or(0);
                standing.push((member, position));
            }
        }
        if !failed.is_empty() {
            self.take_back();
        }
        standing
    }

    /// Answers commands whose decision stands.
    pub(super) fn answer(&self, standing: Vec<Standing>) {
        for (Member { job, verdict, .. }, position) in standing {
            let answer = match verdict {
                Verdict::Accepted { version, events } => Ok(Accepted {
                    status: job.submission.status,
                    stream_id: job.submission.stream_id,
                    version,
                    timeline: self.timeline,
                    position,
                    events: events.into(),
                    replayed: false,
                }),
                Verdict::Refused(refusal) => Err(Error::Refused(refusal)),
                Verdict::Stale { current } => Err(Error::VersionMismatch { current }),
            };
            job.answer(answer);
        }
    }

    /// A group was not written: those done before are answered so, the others decided again.
    fn retry_group(&mut self, members: Vec<Member>, conflicts: &[&Conflict]) {
        counter!("tidemark_executor_conflicts_total").increment(1);
        let mut again = Vec::with_capacity(members.len());
        for member in members {
            member.forget(&mut self.cache);
            match self.done_before(&member, conflicts) {
                Some(answer) => member.job.answer(answer),
                None => again.push(member),
            }
        }
        self.decide_again(again.into_iter());
    }

    /// The answer to a command that another process took first, or whose subject was erased.
    fn done_before(
        &self,
        member: &Member,
        conflicts: &[&Conflict],
    ) -> Option<Result<Accepted, Error>> {
        let submission = &member.job.submission;
        conflicts.iter().find_map(|conflict| match conflict {
            Conflict::SubjectKey { subject, .. } => {
                let is_erased = submission
                    .subject_keys
                    .iter()
                    .any(|used| used.subject == *subject);
                is_erased.then_some(Err(Error::SubjectErased))
            }
            Conflict::IdempotencyRecord { record, .. } => {
                let sent = submission.idempotency.as_ref()?;
                let is_done = (&record.principal, &record.key) == (&sent.principal, &sent.key);
                is_done.then(|| replay(record, sent, self.timeline))
            }
            Conflict::Stream { .. } | Conflict::Claim { .. } => None,
        })
    }

    /// Sends commands through once more, from states that are loaded afresh.
    pub(super) fn decide_again(&mut self, members: impl DoubleEndedIterator<Item = Member>) {
        for member in members.rev() {
            member.forget(&mut self.cache);
            self.pending.push_front(member.job);
        }
    }

    /// Decides again what was decided meanwhile on states that did not come to be.
    fn take_back(&mut self) {
        let stale = self.batch.take_stale(&self.cache);
        self.decide_again(stale.into_iter());
    }

    /// Finds out what became of the batch, however long it takes: until then this executor appends
    /// nothing, and what was decided meanwhile waits as if it were not.
    async fn resolve(&mut self, sent: InFlight) -> Vec<Standing> {
        for member in sent.groups.iter().flatten() {
            member.forget(&mut self.cache);
        }
        let (_, decided) = mem::take(&mut self.batch).into_groups();
        self.decide_again(decided.into_iter().flatten());
        let committed = self.is_committed().await;
        tracing::info!(
            batch = self.batch_number,
            committed,
            "the outcome of the append is known"
        );
        let mut standing = Vec::new();
        for (members, first_event) in sent.groups.into_iter().zip(sent.event_ids) {
            let written = match first_event {
                Some(event_id) if committed => self.find(event_id).await,
                // A group without events left no trace: its refusals are decided anew.
                _ => None,
            };
            let Some(first) = written else {
                self.decide_again(members.into_iter());
                continue;
            };
            let mut position = first - 1;
            for member in members {
                position += i64::try_from(member.event_count()).unwrap_or(0);
                standing.push((member, position));
            }
        }
        standing
    }

    async fn is_committed(&mut self) -> bool {
        loop {
            let asked = self.appender.resolve(self.batch_number);
            match in_time(self.append_timeout(), asked).await {
                Ok(committed) => return committed,
                Err(error) => {
                    tracing::warn!(%error, "cannot ask what became of a batch");
                    self.refuse_overdue();
                    tokio::time::sleep(RESOLVE_PAUSE).await;
                }
            }
        }
    }

    async fn find(&mut self, event_id: Uuid) -> Option<i64> {
        loop {
            match self.log.position_of(event_id).await {
                Ok(position) => return position,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for the events of a batch");
                    tokio::time::sleep(RESOLVE_PAUSE).await;
                }
            }
        }
    }

    /// Commands that were never tried need not wait for Postgres beyond their deadline.
    fn refuse_overdue(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            self.pending.push_back(job);
        }
        let now = Instant::now();
        let all = self.pending.drain(..);
        let (overdue, rest): (Vec<_>, Vec<_>) = all.partition(|job| job.deadline <= now);
        self.pending = rest.into();
        refuse(overdue, &Error::StorageUnavailable);
    }
}
