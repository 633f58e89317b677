//! Sorts commands into groups: two share a group if one writes what the other reads or writes.

use std::collections::{BTreeSet, HashMap};

use tidemark_domain::Claim;
use uuid::Uuid;

/// Something by which two commands can conflict.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::executor) enum ConflictKey {
    /// A stream.
    Stream(Uuid),
    /// A claim.
    Claim(Claim),
    /// The key of a data subject, written by the command that brings it.
    SubjectKey(Uuid),
}

/// The groups of the commands added so far, which are numbered from 0 in their order (union-find).
#[derive(Default)]
pub(super) struct ConflictGroups {
    /// For each command an earlier one of its group; for the first of a group itself.
    parents: Vec<usize>,
    users: HashMap<ConflictKey, Users>,
}

/// The commands that use a key.
#[derive(Default)]
struct Users {
    /// The last command that writes it. All earlier users are in its group.
    writer: Option<usize>,
    /// The commands that read it, as long as none writes it.
    readers: Vec<usize>,
}

impl ConflictGroups {
    /// Adds a command, and unites the groups that it belongs to.
    pub(super) fn add(
        &mut self,
        written: &BTreeSet<ConflictKey>,
        read: impl Iterator<Item = ConflictKey>,
    ) {
        let number = self.parents.len();
        self.parents.push(number);
        for key in written {
            let users = self.users.entry(key.clone()).or_default();
            let readers = users.readers.drain(..);
            let others: Vec<_> = readers.chain(users.writer.replace(number)).collect();
            for other in others {
                self.unite(other, number);
            }
        }
        for key in read.filter(|key| !written.contains(key)) {
            let users = self.users.entry(key).or_default();
            match users.writer {
                Some(writer) => self.unite(writer, number),
                None => users.readers.push(number),
            }
        }
    }

    /// The first command of the group that a command is in.
    pub(super) fn first_of_group(&self, mut number: usize) -> usize {
        while self.parents[number] != number {
            number = self.parents[number];
        }
        number
    }

    /// Whether a command uses this key.
    pub(super) fn uses(&self, key: &ConflictKey) -> bool {
        self.users.contains_key(key)
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first_of_group(a), self.first_of_group(b));
        self.parents[a.max(b)] = a.min(b);
    }
}
