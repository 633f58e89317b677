//! One command of a batch: its answer, what it read, what it writes.

use std::collections::BTreeSet;

use tidemark_domain::{Reads, Refusal, States, Write};
use tidemark_event_store::{NewEvent, NewIdempotencyRecord};
use tidemark_events::{Event, Timestamp};
use tidemark_platform::config::Executor as Settings;
use tidemark_platform::ids::new_id;
use uuid::Uuid;

use super::Thing;
use crate::error::Error;
use crate::executor::job::Job;
use crate::executor::states::Cache;

/// A command of the batch.
pub(in crate::executor) struct Member {
    /// The command.
    pub(in crate::executor) job: Job,
    /// What is answered once the append has taken it.
    pub(in crate::executor) verdict: Verdict,
    pub(super) reads: Reads,
    pub(super) writes: Vec<Write>,
    pub(super) events: Vec<NewEvent>,
}

/// The answer that a decision came to.
pub(in crate::executor) enum Verdict {
    /// It is done; the version of its stream afterwards, and its events.
    Accepted { version: i64, events: Vec<Event> },
    /// A rule says no.
    Refused(Refusal),
    /// The client knows an older version.
    Stale { current: i64 },
}

impl Verdict {
    /// Facts, or none that are needed; the version is known once they are applied.
    pub(super) fn accepted(writes: &[Write]) -> Self {
        let events = writes.iter().filter_map(event_of).cloned().collect();
        Self::Accepted { version: 0, events }
    }
}

impl Member {
    /// A command that has been decided.
    pub(super) fn new(job: Job, verdict: Verdict, reads: Reads, writes: Vec<Write>) -> Self {
        Self {
            job,
            verdict,
            reads,
            writes,
            events: Vec::new(),
        }
    }

    /// Makes the text of its events, once the limits allow them.
    pub(super) fn encode(&mut self, limits: &Settings) -> Result<(), Error> {
        let events: Vec<_> = self
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Event(id, event) => Some((*id, event)),
                Write::Claim(..) | Write::Release(_) => None,
            })
            .collect();
        if events.len() > limits.events_per_command_max {
            return Err(Error::TooManyEvents);
        }
        let metadata =
            serde_json::to_string(&self.job.submission.metadata).map_err(Error::internal)?;
        for (stream_id, event) in events {
            let encoded = event.encode().map_err(Error::internal)?;
            if encoded.data.len() > limits.event_bytes_max {
                return Err(Error::EventTooLarge);
            }
            self.events.push(NewEvent {
                event_id: new_id(),
                stream_id,
                version: 0,
                aggregate: event.aggregate().name(),
                encoded,
                metadata: metadata.clone(),
            });
        }
        Ok(())
    }

    /// Takes its writes into the cache, and learns the versions of its events by it.
    pub(super) fn apply(&mut self, cache: &mut Cache, at: Timestamp) {
        let mut events = self.events.iter_mut();
        for write in &self.writes {
            match write {
                Write::Event(id, event) => {
                    cache.apply(*id, event, at);
                    if let Some(new) = events.next() {
                        new.version = cache.version(*id).unwrap_or(0);
                    }
                }
                Write::Claim(claim, owner) => cache.insert_claim(claim.clone(), Some(*owner)),
                Write::Release(claim) => cache.insert_claim(claim.clone(), None),
            }
        }
        if let Verdict::Accepted { version, .. } = &mut self.verdict {
            *version = cache.version(self.job.submission.stream_id).unwrap_or(0);
        }
    }

    pub(super) fn things_written(&self) -> BTreeSet<Thing> {
        let written = self.writes.iter().map(|write| match write {
            Write::Event(id, _) => Thing::Stream(*id),
            Write::Claim(claim, _) | Write::Release(claim) => Thing::Claim(claim.clone()),
        });
        let brought = self
            .job
            .submission
            .subject_keys
            .iter()
            .filter(|key| key.wrapped.is_some());
        written
            .chain(brought.map(|key| Thing::Subject(key.subject)))
            .collect()
    }

    pub(super) fn things_read(&self) -> impl Iterator<Item = Thing> + '_ {
        let streams = self.reads.streams.keys().map(|id| Thing::Stream(*id));
        let claims = self.reads.claims.keys().cloned().map(Thing::Claim);
        let subjects = self
            .job
            .submission
            .subject_keys
            .iter()
            .map(|key| Thing::Subject(key.subject));
        streams.chain(claims).chain(subjects)
    }

    /// Whether it came to facts, or to none that were needed.
    pub(in crate::executor) fn is_accepted(&self) -> bool {
        matches!(self.verdict, Verdict::Accepted { .. })
    }

    /// Forgets in the cache whatever it read or wrote.
    pub(in crate::executor) fn forget(&self, cache: &mut Cache) {
        for thing in self.things_written().into_iter().chain(self.things_read()) {
            match thing {
                Thing::Stream(id) => cache.remove_stream(id),
                Thing::Claim(claim) => cache.remove_claim(&claim),
                Thing::Subject(_) => {}
            }
        }
    }

    /// Whether what it rests on and what it wrote is still in the cache.
    pub(super) fn is_fresh(&self, cache: &Cache) -> bool {
        let is_known = |thing| match thing {
            Thing::Stream(id) => cache.stream(id).is_some(),
            Thing::Claim(claim) => cache.owner(&claim).is_some(),
            Thing::Subject(_) => true,
        };
        self.things_written()
            .into_iter()
            .chain(self.things_read())
            .all(is_known)
    }

    /// The streams that its events are in.
    pub(in crate::executor) fn streams_written(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.writes.iter().filter_map(|write| match write {
            Write::Event(id, _) => Some(*id),
            Write::Claim(..) | Write::Release(_) => None,
        })
    }

    /// How many events it wrote.
    pub(in crate::executor) fn event_count(&self) -> usize {
        self.writes.iter().filter_map(event_of).count()
    }

    /// Its idempotency record. A refused command has none to write, but may have been done before.
    pub(super) fn record(&self, events_before: usize) -> Option<NewIdempotencyRecord> {
        let submission = &self.job.submission;
        let idempotency = submission.idempotency.as_ref()?;
        let (status, version, events) = match &self.verdict {
            Verdict::Accepted { version, events } => {
                (Some(submission.status), *version, events.len())
            }
            Verdict::Refused(_) | Verdict::Stale { .. } => (None, 0, 0),
        };
        Some(NewIdempotencyRecord {
            principal: idempotency.principal.clone(),
            key: idempotency.key.clone(),
            request_hash: idempotency.request_hash.clone(),
            status: status.map(|status| i16::try_from(status.as_u16()).unwrap_or(i16::MAX)),
            stream_id: submission.stream_id,
            version,
            last_event: (events > 0).then(|| events_before + events - 1),
        })
    }
}

fn event_of(write: &Write) -> Option<&Event> {
    match write {
        Write::Event(_, event) => Some(event),
        Write::Claim(..) | Write::Release(_) => None,
    }
}
