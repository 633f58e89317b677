//! One batch: decides commands in order on the cache, and sorts what they rest on into groups.
//!
//! Two commands share a group when one writes a stream, a claim or a key that the other reads or
//! writes. Deciding leaves the cache ahead of the log: [`Member::forget`] takes a command back.

mod group;
mod member;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;

use tidemark_domain::{Claim, Load, Stop, View};
use tidemark_event_store::Group;
use tidemark_events::Timestamp;
use tidemark_platform::config::Executor as Settings;
use uuid::Uuid;

pub(super) use self::member::{Member, Verdict};

use self::group::group;
use super::job::Job;
use super::states::Cache;
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

#[derive(Default)]
struct Touched {
    readers: Vec<usize>,
    writer: Option<usize>,
}

/// What a group is about: two commands that touch the same thing, one of them writing, share one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Thing {
    Stream(Uuid),
    Claim(Claim),
    Subject(Uuid),
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
    /// When the first of them was decided.
    decided_at: Option<Timestamp>,
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
        let view = View::new(cache, &job.submission.metadata.actor, now);
        let decision = job.submission.command.decide(&view);
        let stamp = view.now();
        let reads = view.into_reads();
        let stale = job.submission.expected_version.and_then(|expected| {
            let read = reads.streams.get(&job.submission.stream_id).copied();
            // A decision does not read what it makes anew.
            let current = read.or_else(|| decision.is_ok().then_some(0))?;
            (current != expected).then_some(Verdict::Stale { current })
        });
        let (verdict, writes) = match (stale, decision) {
            (_, Err(Stop::Load(load))) => return Decided::Needs(load, job),
            (Some(stale), _) => (stale, Vec::new()),
            (None, Err(Stop::Refused(refusal))) => (Verdict::Refused(refusal), Vec::new()),
            (None, Ok(writes)) => (Verdict::accepted(&writes), writes),
        };
        let mut member = Member::new(job, verdict, reads, writes);
        if let Err(error) = member.encode(limits) {
            return Decided::Failed(member.job, error);
        }
        for id in member.reads.streams.keys() {
            cache.touch(*id);
        }
        self.decided_at.get_or_insert(now);
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

    /// When the first of its commands was decided.
    pub(super) const fn decided_at(&self) -> Option<Timestamp> {
        self.decided_at
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

    /// Takes out the groups of which something is not in the cache any more: what they rest on did not
    /// come to be.
    pub(super) fn take_stale(&mut self, cache: &Cache) -> Vec<Member> {
        let members = mem::take(&mut self.members);
        let parent = mem::take(&mut self.parent);
        self.touched.clear();
        let stale: HashSet<_> = (0..)
            .zip(&members)
            .filter(|(_, member)| !member.is_fresh(cache))
            .map(|(place, _)| root(&parent, place))
            .collect();
        let mut taken = Vec::new();
        for (place, member) in members.into_iter().enumerate() {
            if stale.contains(&root(&parent, place)) {
                taken.push(member);
            } else {
                self.join(&member);
                self.members.push(member);
            }
        }
        let touched = |thing: Thing| self.touched.contains_key(&thing);
        self.versions_before
            .retain(|id, _| touched(Thing::Stream(*id)));
        self.owners_before
            .retain(|claim, _| touched(Thing::Claim(claim.clone())));
        taken
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

#[cfg(test)]
mod tests;
