//! What follows from an append: answers, second decisions, and finding out what became of a batch.

use std::{
    collections::{HashSet, VecDeque},
    time::Instant,
};

use metrics::counter;
use tidemark_event_store::{Appended, Moved, Record};
use uuid::Uuid;

use super::{Loop, RESOLVE_PAUSE};
use crate::{
    error::Error,
    executor::{
        batch::{Member, Verdict},
        intent::Receipt,
        job::Job,
        replay,
    },
};

impl Loop {
    /// Answers the groups that were written, and decides the others again.
    pub(super) async fn settle(&mut self, groups: Vec<Vec<Member>>, appended: &Appended) {
        self.clock.follow(appended.at);
        let failed: HashSet<usize> = appended.moved.iter().map(Moved::group).collect();
        let mut position = appended.head;
        for (place, members) in groups.into_iter().enumerate() {
            if failed.contains(&place) {
                let moved = appended.moved.iter().filter(|moved| moved.group() == place);
                self.retry_group(members, moved.collect()).await;
                continue;
            }
            for member in members {
                for id in member.streams_written() {
                    self.cache.taken(id, appended.at);
                }
                position += i64::try_from(member.event_count()).unwrap_or(0);
                self.answer(member, position);
            }
        }
    }

    /// Answers a command whose decision stands, as of a position.
    fn answer(&self, member: Member, position: i64) {
        let Member { job, verdict, .. } = member;
        let answer = match verdict {
            Verdict::Accepted { version, events } => Ok(Receipt {
                status: job.intent.status,
                stream_id: job.intent.stream_id,
                version,
                timeline: self.timeline,
                position,
                events: events.into(),
                replayed: false,
            }),
            Verdict::Refused(refusal) => Err(Error::Refused(refusal)),
            Verdict::Stale { current } => Err(Error::Stale { current }),
        };
        job.answer(answer);
    }

    /// A group was not written: those done before are answered so, the others decided again.
    async fn retry_group(&mut self, members: Vec<Member>, moved: Vec<&Moved>) {
        counter!("tidemark_executor_conflicts_total").increment(1);
        let mut again = Vec::with_capacity(members.len());
        for member in members {
            member.forget(&mut self.cache);
            match self.done_before(&member, &moved).await {
                Some(answer) => member.job.answer(answer),
                None => again.push(member),
            }
        }
        self.decide_again(again.into_iter());
    }

    /// The answer to a command that another process took first, or whose subject was erased.
    async fn done_before(
        &self,
        member: &Member,
        moved: &[&Moved],
    ) -> Option<Result<Receipt, Error>> {
        let intent = &member.job.intent;
        let erased = intent.keys.iter().any(|used| {
            moved
                .iter()
                .any(|m| matches!(m, Moved::Subject { id, .. } if *id == used.subject))
        });
        if erased {
            return Some(Err(Error::Erased));
        }
        let idempotency = intent.idempotency.as_ref()?;
        let recorded = moved.iter().any(|m| {
            matches!(m, Moved::Record { scope, key, .. }
                if *scope == idempotency.principal && *key == idempotency.key)
        });
        if !recorded {
            return None;
        }
        match Record::find(&self.pool, &idempotency.principal, &idempotency.key).await {
            Ok(record) => record.map(|record| replay(&record, idempotency, self.timeline)),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Sends commands through once more, from states that are loaded afresh.
    pub(super) fn decide_again(&mut self, members: impl DoubleEndedIterator<Item = Member>) {
        for member in members.rev() {
            member.forget(&mut self.cache);
            self.pending.push_front(member.job);
        }
    }

    /// Finds out what became of the last batch, however long it takes: until then this executor
    /// appends nothing.
    pub(super) async fn resolve(&mut self, groups: Vec<Vec<Member>>, event_ids: Vec<Option<Uuid>>) {
        let committed = loop {
            match self.appender.resolve(self.batch_number).await {
                Ok(committed) => break committed,
                Err(error) => {
                    tracing::warn!(%error, "cannot ask what became of a batch");
                    self.refuse_overdue();
                    tokio::time::sleep(RESOLVE_PAUSE).await;
                }
            }
        };
        tracing::info!(
            batch = self.batch_number,
            committed,
            "the outcome of the append is known"
        );
        for (members, first_event) in groups.into_iter().zip(event_ids) {
            for member in &members {
                member.forget(&mut self.cache);
            }
            let written = match first_event {
                Some(event_id) if committed => self.find(event_id).await,
                // A group without events left no trace: its refusals are decided anew.
                _ => None,
            };
            match written {
                Some(first) => self.answer_written(members, first),
                None => self.decide_again(members.into_iter()),
            }
        }
    }

    fn answer_written(&self, members: Vec<Member>, first_position: i64) {
        let mut position = first_position - 1;
        for member in members {
            position += i64::try_from(member.event_count()).unwrap_or(0);
            self.answer(member, position);
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
        let (overdue, rest): (VecDeque<_>, VecDeque<_>) = self
            .pending
            .drain(..)
            .partition(|job: &Job| job.deadline <= now);
        self.pending = rest;
        for job in overdue {
            job.answer(Err(Error::StorageUnavailable));
        }
    }
}
