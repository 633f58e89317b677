//! Who should run what: a pure function of a snapshot. Every projector computes the same, takes what is its own,
//! and stops what is another's.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::snapshot::Snapshot;

/// The projector that should run each assignment, by the name of its lease; what nobody can run is left out.
///
/// Who runs something keeps it, unless it has at least two more than another projector that could run it as well.
/// What nobody runs goes to whoever has the least of those that can run it. So nothing moves without need, and
/// nothing moves back.
pub(super) fn distribute(snapshot: &Snapshot) -> BTreeMap<String, Uuid> {
    let mut distribution = Distribution::of_those_that_hold(snapshot);
    distribution.give_out_the_rest();
    while distribution.even_out() {}
    let owners = distribution.owners.into_iter();
    let named = owners.zip(&snapshot.tasks);
    named
        .filter_map(|(owner, task)| owner.map(|owner| (task.assignment.lease(), owner)))
        .collect()
}

struct Distribution<'a> {
    snapshot: &'a Snapshot,
    /// The owner of each task of the snapshot.
    owners: Vec<Option<Uuid>>,
    /// How many tasks each projector owns.
    loads: BTreeMap<Uuid, usize>,
}

impl<'a> Distribution<'a> {
    /// Leaves with each projector what it holds and can run.
    fn of_those_that_hold(snapshot: &'a Snapshot) -> Self {
        let mut this = Self {
            snapshot,
            owners: vec![None; snapshot.tasks.len()],
            loads: snapshot
                .projectors
                .keys()
                .map(|projector| (*projector, 0))
                .collect(),
        };
        for (index, task) in snapshot.tasks.iter().enumerate() {
            let holder = task.holder;
            if let Some(holder) = holder.filter(|it| snapshot.can_run(*it, task)) {
                this.give(index, holder);
            }
        }
        this
    }

    /// Gives what nobody holds to whoever has the least. What the fewest can run goes first, so that they have not
    /// been given what others could run.
    fn give_out_the_rest(&mut self) {
        let tasks = &self.snapshot.tasks;
        let mut free: Vec<_> = (0..tasks.len())
            .filter(|index| self.owners[*index].is_none())
            .collect();
        free.sort_by_cached_key(|index| {
            let task = &tasks[*index];
            (self.snapshot.able(task).count(), task.assignment.lease())
        });
        for index in free {
            if let Some(projector) = self.receiver(index) {
                self.give(index, projector);
            }
        }
    }

    /// Who should be given a task: of those that can run it, one that has the least, and if several have, one that
    /// has the least of the same read model.
    fn receiver(&self, index: usize) -> Option<Uuid> {
        let able = self.snapshot.able(&self.snapshot.tasks[index]);
        able.min_by_key(|it| (self.loads[it], self.similar(*it, index), *it))
    }

    /// How many shards of the same read model as a task a projector owns.
    fn similar(&self, projector: Uuid, index: usize) -> usize {
        let ability = self.snapshot.tasks[index].assignment.ability();
        let tasks = self.owners.iter().zip(&self.snapshot.tasks);
        let owned = tasks.filter(|(owner, _)| **owner == Some(projector));
        owned
            .filter(|(_, task)| task.assignment.ability() == ability)
            .count()
    }

    /// Moves one assignment to a projector that has at least two less: one of the read model of which the owner has
    /// the most shards. Returns whether there was any to move.
    fn even_out(&mut self) -> bool {
        let moves = self.owners.iter().enumerate().filter_map(|(index, owner)| {
            let owner = (*owner)?;
            let receiver = self.receiver(index)?;
            let difference = self.loads[&owner].saturating_sub(self.loads[&receiver]);
            (difference >= 2).then_some((difference, index, owner, receiver))
        });
        let best = moves.max_by_key(|(difference, index, owner, _)| {
            let lease = self.snapshot.tasks[*index].assignment.lease();
            (*difference, self.similar(*owner, *index), lease)
        });
        let Some((_, index, owner, receiver)) = best else {
            return false;
        };
        *self.loads.entry(owner).or_default() -= 1;
        self.give(index, receiver);
        true
    }

    fn give(&mut self, index: usize, projector: Uuid) {
        self.owners[index] = Some(projector);
        *self.loads.entry(projector).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
