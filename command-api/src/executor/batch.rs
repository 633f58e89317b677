//! One batch: decides commands in order on the cache, and sorts what they rest on into groups.
//!
//! Two commands share a group when one writes a stream, a claim or a key that the other reads or
//! writes. Deciding leaves the cache ahead of the log; [`Batch::drop_group`] takes a group back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidemark_domain::{Claim, Error as Refusal, Load, Reads, Stop, View, Write};
use tidemark_event_store::{Group, NewEvent, NewRecord};
use tidemark_events::{Event, Timestamp};
use tidemark_platform::config::Executor as Settings;
use uuid::Uuid;

use super::{job::Job, states::Cache};
use crate::error::Error;

/// What became of deciding one command.
pub(super) enum Decided {
    /// It is in the batch.
    InBatch,
    /// It needs something first.
    Needs(Load, Job),
    /// It can never be appended.
    Failed(Job, Error),
}

/// A command of the batch.
pub(super) struct Member {
    /// The command.
    pub(super) job: Job,
    /// What is answered once the append has taken it.
    pub(super) verdict: Verdict,
    reads: Reads,
    writes: Vec<Write>,
    events: Vec<NewEvent>,
}

/// The answer that a decision came to.
pub(super) enum Verdict {
    /// It is done; the version of its stream afterwards, and its events.
    Accepted { version: i64, events: Vec<Event> },
    /// A rule says no.
    Refused(Refusal),
    /// The client knows an older version.
    Stale { current: i64 },
}

/// What a group is about: two commands that touch the same thing, one of them writing, share one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Thing {
    Stream(Uuid),
    Claim(Claim),
    Subject(Uuid),
}

#[derive(Default)]
struct Touched {
    readers: Vec<usize>,
    writer: Option<usize>,
}

/// The commands of one append.
#[derive(Default)]
pub(super) struct Batch {
    members: Vec<Member>,
    /// Union-find over members: each points towards the first of its group.
    parent: Vec<usize>,
    touched: HashMap<Thing, Touched>,
    versions_before: HashMap<Uuid, i64>,
    owners_before: HashMap<Claim, Option<Uuid>>,
}

impl Batch {
    /// Decides a command; if it comes to an answer, the cache is as if it were appended.
    pub(super) fn decide(
        &mut self,
        job: Job,
        cache: &mut Cache,
        now: Timestamp,
        limits: &Settings,
    ) -> Decided {
        let view = View::new(cache, &job.intent.metadata.actor, now);
        let decision = job.intent.command.decide(&view);
        let stamp = view.now();
        let reads = view.into_reads();
        let stale = job.intent.expected_version.and_then(|expected| {
            let current = *reads.streams.get(&job.intent.stream_id)?;
            (current != expected).then_some(Verdict::Stale { current })
        });
        let (verdict, writes) = match (stale, decision) {
            (_, Err(Stop::Load(load))) => return Decided::Needs(load, job),
            (Some(stale), _) => (stale, Vec::new()),
            (None, Err(Stop::Refused(refusal))) => (Verdict::Refused(refusal), Vec::new()),
            (None, Ok(writes)) => {
                let events = writes.iter().filter_map(event_of).cloned().collect();
                (Verdict::Accepted { version: 0, events }, writes)
            }
        };
        let mut member = Member {
            job,
            verdict,
            reads,
            writes,
            events: Vec::new(),
        };
        if let Err(error) = member.encode(limits) {
            return Decided::Failed(member.job, error);
        }
        for id in member.reads.streams.keys() {
            cache.touch(*id);
        }
        self.note_before(&member, cache);
        member.apply(cache, stamp);
        self.join(&member);
        self.members.push(member);
        Decided::InBatch
    }

    /// Whether there is nothing to append or to check.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many commands it holds.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The groups to append, and beside each its commands in order.
    pub(super) fn into_groups(self) -> (Vec<Group>, Vec<Vec<Member>>) {
        let Self {
            members,
            parent,
            versions_before,
            owners_before,
            ..
        } = self;
        let mut groups: BTreeMap<usize, Vec<Member>> = BTreeMap::new();
        for (place, member) in members.into_iter().enumerate() {
            groups.entry(root(&parent, place)).or_default().push(member);
        }
        groups
            .into_values()
            .map(|mut members| {
                (
                    group(&mut members, &versions_before, &owners_before),
                    members,
                )
            })
            .unzip()
    }

    /// Remembers what was known of everything the command touches before this batch.
    fn note_before(&mut self, member: &Member, cache: &Cache) {
        for (id, version) in &member.reads.streams {
            self.versions_before.entry(*id).or_insert(*version);
        }
        for event in &member.events {
            let known = cache.version(event.stream_id).unwrap_or(0);
            self.versions_before.entry(event.stream_id).or_insert(known);
        }
        for (claim, owner) in &member.reads.claims {
            self.owners_before.entry(claim.clone()).or_insert(*owner);
        }
    }

    fn join(&mut self, member: &Member) {
        let place = self.parent.len();
        self.parent.push(place);
        let written = member.things_written();
        for thing in &written {
            let touched = self.touched.entry(thing.clone()).or_default();
            let others = touched
                .readers
                .drain(..)
                .chain(touched.writer.replace(place));
            let others: Vec<_> = others.collect();
            for other in others {
                unite(&mut self.parent, other, place);
            }
        }
        for thing in member
            .things_read()
            .filter(|thing| !written.contains(thing))
        {
            let touched = self.touched.entry(thing).or_default();
            match touched.writer {
                Some(writer) => unite(&mut self.parent, writer, place),
                None => touched.readers.push(place),
            }
        }
    }
}

impl Member {
    /// Makes the text of its events, once the limits allow them.
    fn encode(&mut self, limits: &Settings) -> Result<(), Error> {
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
        let metadata = serde_json::to_string(&self.job.intent.metadata).map_err(Error::internal)?;
        for (stream_id, event) in events {
            let encoded = event.encode().map_err(Error::internal)?;
            if encoded.data.len() > limits.event_bytes_max {
                return Err(Error::EventTooLarge);
            }
            self.events.push(NewEvent {
                event_id: new_event_id(),
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
    fn apply(&mut self, cache: &mut Cache, at: Timestamp) {
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
            *version = cache.version(self.job.intent.stream_id).unwrap_or(0);
        }
    }

    fn things_written(&self) -> BTreeSet<Thing> {
        let written = self.writes.iter().map(|write| match write {
            Write::Event(id, _) => Thing::Stream(*id),
            Write::Claim(claim, _) | Write::Release(claim) => Thing::Claim(claim.clone()),
        });
        let brought = self
            .job
            .intent
            .keys
            .iter()
            .filter(|key| key.wrapped.is_some());
        written
            .chain(brought.map(|key| Thing::Subject(key.subject)))
            .collect()
    }

    fn things_read(&self) -> impl Iterator<Item = Thing> + '_ {
        let streams = self.reads.streams.keys().map(|id| Thing::Stream(*id));
        let claims = self.reads.claims.keys().cloned().map(Thing::Claim);
        let subjects = self
            .job
            .intent
            .keys
            .iter()
            .map(|key| Thing::Subject(key.subject));
        streams.chain(claims).chain(subjects)
    }

    /// Whether it came to facts, or to none that were needed.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.verdict, Verdict::Accepted { .. })
    }

    /// Forgets in the cache whatever it read or wrote.
    pub(super) fn forget(&self, cache: &mut Cache) {
        for thing in self.things_written().into_iter().chain(self.things_read()) {
            match thing {
                Thing::Stream(id) => cache.remove_stream(id),
                Thing::Claim(claim) => cache.remove_claim(&claim),
                Thing::Subject(_) => {}
            }
        }
    }

    /// The streams that its events are in.
    pub(super) fn streams_written(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.writes.iter().filter_map(|write| match write {
            Write::Event(id, _) => Some(*id),
            Write::Claim(..) | Write::Release(_) => None,
        })
    }

    /// How many events it wrote.
    pub(super) fn event_count(&self) -> usize {
        self.writes.iter().filter_map(event_of).count()
    }

    fn record(&self, events_before: usize) -> Option<NewRecord> {
        let idempotency = self.job.intent.idempotency.as_ref()?;
        let Verdict::Accepted { version, events } = &self.verdict else {
            return None;
        };
        Some(NewRecord {
            principal: idempotency.principal.clone(),
            key: idempotency.key.clone(),
            request_hash: idempotency.request_hash.clone(),
            status: i16::try_from(self.job.intent.status).unwrap_or(i16::MAX),
            stream_id: self.job.intent.stream_id,
            version: *version,
            last_event: (events_before + events.len())
                .checked_sub(1)
                .filter(|_| !events.is_empty()),
        })
    }
}

/// What the append writes and checks for commands that share a group.
fn group(
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
        group.records.extend(member.record(group.events.len()));
        group.events.append(&mut member.events);
        if member.is_accepted() {
            group.keys.extend(member.job.intent.keys.iter().cloned());
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

fn event_of(write: &Write) -> Option<&Event> {
    match write {
        Write::Event(_, event) => Some(event),
        Write::Claim(..) | Write::Release(_) => None,
    }
}

fn root(parent: &[usize], mut place: usize) -> usize {
    while parent[place] != place {
        place = parent[place];
    }
    place
}

/// Puts two groups together, under the earlier of their firsts.
fn unite(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b)] = a.min(b);
}

#[expect(clippy::disallowed_methods, reason = "ids of events are made here")]
fn new_event_id() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests;
