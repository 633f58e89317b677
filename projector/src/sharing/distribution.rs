//! Who should run what: a pure function of a snapshot. Every projector computes the same, takes what is its own,
//! and stops what is another's.
//!
//! It is computed beside the renewal of leases, so it must not take long however many shards there are. Of shards that the same
//! projectors can run one is as good as another, so they are looked at together: what a move costs depends on how many kinds of
//! them and how many projectors there are.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::snapshot::{Snapshot, Task};

/// The projector that should run each assignment, by the name of its lease; what nobody can run is left out.
///
/// Who runs something keeps it, unless it has at least two more than another projector that could run it as well.
/// What nobody runs goes to whoever has the least of those that can run it. So nothing moves without need, and
/// nothing moves back.
pub(super) fn distribute(snapshot: &Snapshot) -> BTreeMap<String, Uuid> {
    let tasks = snapshot.tasks.iter();
    let mut tasks: Vec<_> = tasks.map(|task| (task.assignment.lease(), task)).collect();
    tasks.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut distribution = Distribution::of_those_that_hold(snapshot, &tasks);
    distribution.give_out_the_rest();
    while distribution.even_out() {}
    let owners = distribution.owners();
    let leases = tasks.into_iter().map(|(lease, _)| lease).zip(owners);
    leases
        .filter_map(|(lease, owner)| owner.map(|owner| (lease, owner)))
        .collect()
}

/// The tasks that need the same ability, and that the same projectors can run.
struct Kind {
    /// The number of the ability.
    ability: usize,
    /// The projectors that can run them, in order.
    able: Vec<usize>,
    /// Those of the tasks that each projector owns.
    owned: Vec<BTreeSet<usize>>,
}

/// Tasks are numbered in the order of the names of their leases, and projectors in that of their ids.
struct Distribution {
    projectors: Vec<Uuid>,
    kinds: Vec<Kind>,
    /// The kind of each task.
    kind_of: Vec<usize>,
    /// The tasks that nobody owns.
    free: Vec<usize>,
    /// How many tasks each projector owns.
    loads: Vec<usize>,
    /// The same, of each ability.
    similar: Vec<Vec<usize>>,
}

impl Distribution {
    /// Leaves with each projector what it holds and can run.
    fn of_those_that_hold(snapshot: &Snapshot, tasks: &[(String, &Task)]) -> Self {
        let projectors: Vec<_> = snapshot.projectors.keys().copied().collect();
        let mut this = Self {
            kinds: Vec::new(),
            kind_of: Vec::with_capacity(tasks.len()),
            free: Vec::new(),
            loads: vec![0; projectors.len()],
            similar: Vec::new(),
            projectors,
        };
        let (mut abilities, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for (index, (_, task)) in tasks.iter().enumerate() {
            let beyond = abilities.len();
            let ability = *abilities.entry(task.assignment.ability()).or_insert(beyond);
            let holder = task.holder.and_then(|it| this.number_of(it));
            let silent = holder.filter(|it| snapshot.is_silent(this.projectors[*it]));
            let kind = *kinds
                .entry((ability, silent))
                .or_insert_with(|| this.add_kind(ability, snapshot.able(task)));
            this.kind_of.push(kind);
            match holder.filter(|it| this.kinds[kind].able.contains(it)) {
                Some(holder) => this.give(index, holder),
                None => this.free.push(index),
            }
        }
        this
    }

    fn number_of(&self, projector: Uuid) -> Option<usize> {
        self.projectors.binary_search(&projector).ok()
    }

    /// Notes a kind of tasks, of which nobody owns any yet. Returns its number.
    fn add_kind(&mut self, ability: usize, able: impl Iterator<Item = Uuid>) -> usize {
        if ability == self.similar.len() {
            self.similar.push(vec![0; self.projectors.len()]);
        }
        let able = able.filter_map(|it| self.number_of(it)).collect();
        self.kinds.push(Kind {
            ability,
            able,
            owned: vec![BTreeSet::new(); self.projectors.len()],
        });
        self.kinds.len() - 1
    }

    /// Gives what nobody holds to whoever has the least. What the fewest can run goes first, so that they have not
    /// been given what others could run.
    fn give_out_the_rest(&mut self) {
        let mut free = std::mem::take(&mut self.free);
        free.sort_by_key(|index| self.kinds[self.kind_of[*index]].able.len());
        for index in free {
            if let Some(projector) = self.receiver(&self.kinds[self.kind_of[index]]) {
                self.give(index, projector);
            }
        }
    }

    /// Who should be given a task of a kind: of those that can run it, one that has the least, and if several have, one that
    /// has the least of the same read model.
    fn receiver(&self, kind: &Kind) -> Option<usize> {
        let similar = &self.similar[kind.ability];
        let able = kind.able.iter().copied();
        able.min_by_key(|it| (self.loads[*it], similar[*it], *it))
    }

    /// Moves one assignment to a projector that has at least two less: one of the read model of which the owner has
    /// the most shards. Returns whether there was any to move.
    fn even_out(&mut self) -> bool {
        let best = self.kinds.iter().filter_map(|kind| self.best_move(kind));
        let Some((_, _, index, owner, receiver)) = best.max() else {
            return false;
        };
        self.take(index, owner);
        self.give(index, receiver);
        true
    }

    /// The move of a task of a kind that evens out the most: the difference, how many tasks of its ability the owner has, the
    /// task, its owner, and who should be given it.
    fn best_move(&self, kind: &Kind) -> Option<(usize, usize, usize, usize, usize)> {
        let receiver = self.receiver(kind)?;
        let similar = &self.similar[kind.ability];
        let moves = kind.able.iter().filter_map(|&owner| {
            let difference = self.loads[owner].saturating_sub(self.loads[receiver]);
            let last = kind.owned[owner].last().filter(|_| difference >= 2)?;
            Some((difference, similar[owner], *last, owner, receiver))
        });
        moves.max()
    }

    fn give(&mut self, index: usize, projector: usize) {
        let kind = &mut self.kinds[self.kind_of[index]];
        kind.owned[projector].insert(index);
        self.loads[projector] += 1;
        self.similar[kind.ability][projector] += 1;
    }

    fn take(&mut self, index: usize, projector: usize) {
        let kind = &mut self.kinds[self.kind_of[index]];
        kind.owned[projector].remove(&index);
        self.loads[projector] -= 1;
        self.similar[kind.ability][projector] -= 1;
    }

    /// The owner of each task.
    fn owners(&self) -> Vec<Option<Uuid>> {
        let mut owners = vec![None; self.kind_of.len()];
        for kind in &self.kinds {
            for (projector, owned) in self.projectors.iter().zip(&kind.owned) {
                for index in owned {
                    owners[*index] = Some(*projector);
                }
            }
        }
        owners
    }
}

#[cfg(test)]
mod tests;
