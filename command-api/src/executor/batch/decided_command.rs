//! One command of a batch: what was decided, what the decision read, and what it writes.

use std::collections::{BTreeSet, HashSet};

use tidemark_domain::{Claim, Reads, Refusal, Write};
use tidemark_event_store::{Group, IdempotencyRecord, NewEvent, NewIdempotencyRecord};
use tidemark_events::{Event, Timestamp};
use tidemark_platform::config::Executor as Settings;
use tidemark_platform::ids::new_id;
use uuid::Uuid;

use super::conflict_groups::ConflictKey;
use crate::error::Error;
use crate::executor::cache::Cache;
use crate::executor::queue::QueuedCommand;

/// A command that was decided and is not appended yet.
pub(in crate::executor) struct DecidedCommand {
    /// The command as it was queued.
    pub(in crate::executor) queued: QueuedCommand,
    /// What was decided. It is answered once the append has confirmed what it rested on.
    pub(in crate::executor) decision: Decision,
    pub(super) reads: Reads,
    pub(super) writes: Vec<Write>,
    /// What the append checks and writes for the command: its part of a group.
    pub(super) part: Group,
}

/// What was decided on a command.
pub(in crate::executor) enum Decision {
    /// The command may happen.
    Accepted {
        /// The version of its stream afterwards.
        version: i64,
        /// Its events; none if what it asks for is so already.
        events: Vec<Event>,
    },
    /// A rule of the domain refused the command.
    Refused(Refusal),
    /// The stream is not at the version that the client expected.
    VersionMismatch {
        /// The version of the stream.
        current: i64,
    },
}

impl Decision {
    /// The command may happen. [`DecidedCommand::apply_to`] sets the version.
    pub(super) fn accepted(writes: &[Write]) -> Self {
        let events = writes.iter().filter_map(event_of).cloned().collect();
        Self::Accepted { version: 0, events }
    }
}

impl DecidedCommand {
    /// A command with its decision; its events are not encoded yet.
    pub(super) fn new(
        queued: QueuedCommand,
        decision: Decision,
        reads: Reads,
        writes: Vec<Write>,
    ) -> Self {
        Self {
            queued,
            decision,
            reads,
            writes,
            part: Group::default(),
        }
    }

    /// Encodes the events as the log stores them. [`Self::apply_to`] sets their versions.
    ///
    /// # Errors
    /// If they are more or larger than `limits` allow.
    pub(super) fn encode_events(&mut self, limits: &Settings) -> Result<(), Error> {
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
        let metadata = &self.queued.submission.metadata;
        let metadata = serde_json::to_string(metadata).map_err(Error::internal)?;
        for (stream_id, event) in events {
            let encoded = event.encode().map_err(Error::internal)?;
            if encoded.data.len() > limits.event_bytes_max {
                return Err(Error::EventTooLarge);
            }
            self.part.events.push(NewEvent {
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

    /// Applies the writes to the cache, as if they were appended, which gives the events their versions.
    pub(super) fn apply_to(&mut self, cache: &mut Cache, at: Timestamp) {
        let mut events = self.part.events.iter_mut();
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
        if let Decision::Accepted { version, .. } = &mut self.decision {
            let stream_id = self.queued.submission.stream_id;
            *version = cache.version(stream_id).unwrap_or(0);
        }
    }

    /// The keys that the command writes.
    pub(in crate::executor) fn keys_written(&self) -> BTreeSet<ConflictKey> {
        let written = self.writes.iter().map(|write| match write {
            Write::Event(id, _) => ConflictKey::Stream(*id),
            Write::Claim(claim, _) | Write::Release(claim) => ConflictKey::Claim(claim.clone()),
        });
        let subject_keys = self.queued.submission.subject_keys.iter();
        let new_subject_keys = subject_keys
            .filter(|key| key.wrapped.is_some())
            .map(|key| ConflictKey::SubjectKey(key.subject));
        written.chain(new_subject_keys).collect()
    }

    /// The keys that the decision read.
    pub(super) fn keys_read(&self) -> impl Iterator<Item = ConflictKey> + '_ {
        let streams = self.reads.streams.keys();
        let claims = self.reads.claims.keys().cloned();
        let subject_keys = self.queued.submission.subject_keys.iter();
        streams
            .map(|id| ConflictKey::Stream(*id))
            .chain(claims.map(ConflictKey::Claim))
            .chain(subject_keys.map(|key| ConflictKey::SubjectKey(key.subject)))
    }

    /// Whether the command was accepted.
    pub(super) const fn is_accepted(&self) -> bool {
        matches!(self.decision, Decision::Accepted { .. })
    }

    /// Evicts everything that the command read or wrote from the cache, so that it is loaded again.
    pub(in crate::executor) fn evict_from(&self, cache: &mut Cache) {
        for key in self.keys_written().into_iter().chain(self.keys_read()) {
            match key {
                ConflictKey::Stream(id) => cache.evict_stream(id),
                ConflictKey::Claim(claim) => cache.evict_claim(&claim),
                ConflictKey::SubjectKey(_) => {}
            }
        }
    }

    /// Whether the command read or wrote one of `keys`.
    pub(super) fn uses(&self, keys: &HashSet<ConflictKey>) -> bool {
        self.keys_written()
            .into_iter()
            .chain(self.keys_read())
            .any(|key| keys.contains(&key))
    }

    /// The claim with this scope and key, if the decision read it.
    pub(in crate::executor) fn claim_read(&self, scope: &str, key: &str) -> Option<&Claim> {
        let mut claims = self.reads.claims.keys();
        claims.find(|claim| claim.scope.name() == scope && claim.key == key)
    }

    /// The streams that the decision read.
    pub(in crate::executor) fn streams_read(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.reads.streams.keys().copied()
    }

    /// The streams that the command writes events to.
    pub(in crate::executor) fn streams_written(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.writes.iter().filter_map(|write| match write {
            Write::Event(id, _) => Some(*id),
            Write::Claim(..) | Write::Release(_) => None,
        })
    }

    /// How many events the command writes.
    pub(in crate::executor) fn event_count(&self) -> usize {
        self.writes.iter().filter_map(event_of).count()
    }

    /// The size of the events that the command writes.
    pub(super) fn event_bytes(&self) -> usize {
        let bytes = |event: &NewEvent| event.encoded.data.len() + event.metadata.len();
        self.part.events.iter().map(bytes).sum()
    }

    /// The idempotency record that was written for the command, whose last event is at `position`.
    pub(in crate::executor) fn written_record(
        &self,
        position: i64,
        recorded_at: Timestamp,
    ) -> Option<IdempotencyRecord> {
        let record = self.idempotency_record()?;
        Some(IdempotencyRecord {
            id: record.id,
            request_hash: record.request_hash,
            status: record.status?,
            stream_id: record.stream_id,
            version: record.version,
            position,
            recorded_at,
        })
    }

    /// The idempotency record of a command with a key. That of a refused one is not written, but the
    /// append looks whether the key was used before.
    pub(super) fn idempotency_record(&self) -> Option<NewIdempotencyRecord> {
        let submission = &self.queued.submission;
        let idempotency = submission.idempotency.as_ref()?;
        let (status, version, events) = match &self.decision {
            Decision::Accepted { version, events } => {
                let status = i16::try_from(submission.status.as_u16()).unwrap_or(i16::MAX);
                (Some(status), *version, events.len())
            }
            Decision::Refused(_) | Decision::VersionMismatch { .. } => (None, 0, 0),
        };
        Some(NewIdempotencyRecord {
            id: idempotency.id,
            service_key: idempotency.service_key.clone(),
            request_hash: idempotency.request_hash.clone(),
            status,
            stream_id: submission.stream_id,
            version,
            last_event: events.checked_sub(1),
        })
    }
}

fn event_of(write: &Write) -> Option<&Event> {
    match write {
        Write::Event(_, event) => Some(event),
        Write::Claim(..) | Write::Release(_) => None,
    }
}
