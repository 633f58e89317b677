//! Who should run what: for projectors of one build and of several.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tidemark_read_models::{Generation, Shard};

use super::super::assignment::{self, Assignment};
use super::super::snapshot::Task;
use super::*;

/// A shard of a read model that everybody can fold by version 1, and perhaps by others.
fn shard(read_model: usize, fold_version: i32, number: i32) -> Assignment {
    Assignment::Shard {
        read_model: format!("model_{read_model:02}"),
        generation: Generation {
            number: fold_version,
            fold_version,
        },
        shard: Shard { number, count: 3 },
    }
}

fn projector(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

/// A snapshot in which nobody holds anything, with projectors of these builds. A build can run all read models by
/// the versions of their folds up to its own number.
fn snapshot(builds: &[i32], read_models: usize, shards: i32) -> Snapshot {
    let tasks = (0..read_models).flat_map(|read_model| {
        let highest = builds.iter().copied().max().unwrap_or(1);
        (1..=highest).flat_map(move |version| {
            (0..shards).map(move |number| Task {
                assignment: shard(read_model, version, number),
                is_kept: false,
                holder: None,
            })
        })
    });
    let abilities = |build: i32| -> BTreeSet<_> {
        let of_version = |version| (0..read_models).map(move |it| shard(it, version, 0).ability());
        (1..=build).flat_map(of_version).collect()
    };
    let projectors = builds.iter().enumerate();
    Snapshot {
        tasks: tasks.collect(),
        projectors: projectors
            .map(|(number, build)| (projector(number), Some(abilities(*build))))
            .collect(),
    }
}

/// Lets every projector do what follows from the distribution: all stop what is another's, then all take what is
/// free and theirs. Returns how many assignments stopped.
fn settle(snapshot: &mut Snapshot) -> usize {
    let owners = distribute(snapshot);
    let mut stopped = 0;
    for task in &mut snapshot.tasks {
        let owner = owners.get(&task.assignment.lease()).copied();
        if task.holder.is_some() && task.holder != owner {
            task.holder = None;
            stopped += 1;
        }
    }
    let owners = distribute(snapshot);
    for task in &mut snapshot.tasks {
        if task.holder.is_none() {
            task.holder = owners.get(&task.assignment.lease()).copied();
        }
    }
    stopped
}

fn loads(snapshot: &Snapshot) -> Vec<usize> {
    let projectors = snapshot.projectors.keys();
    let load = |projector: &Uuid| {
        let held = snapshot.tasks.iter();
        held.filter(|task| task.holder == Some(*projector)).count()
    };
    projectors.map(load).collect()
}

proptest! {
    /// Whatever joins and leaves: everything that somebody can run is run by one who can, loads of one build differ
    /// by one at most, and then nothing moves any more.
    #[test]
    fn after_every_change_all_is_run_evenly_and_nothing_moves_any_more(
        changes in prop::collection::vec(prop::collection::vec(1..=2_i32, 1..6), 1..6),
        read_models in 1..8_usize,
        shards in 1..4_i32,
    ) {
        let mut before: Option<Snapshot> = None;
        for builds in changes {
            let mut now = snapshot(&builds, read_models, shards);
            for task in &mut now.tasks {
                let earlier = before.iter().flat_map(|it| &it.tasks);
                let mut same = earlier.filter(|it| it.assignment == task.assignment);
                let holder = same.next().and_then(|it| it.holder);
                task.holder = holder.filter(|it| now.projectors.contains_key(it));
            }
            let rounds = (0..5).take_while(|_| settle(&mut now) > 0).count();
            prop_assert!(rounds < 5, "assignments go on moving");
            for task in &now.tasks {
                let able = now.able(task).next().is_some();
                prop_assert_eq!(task.holder.is_some(), able);
                prop_assert!(task.holder.is_none_or(|it| now.able(task).any(|able| able == it)));
            }
            let loads = loads(&now);
            if builds.iter().all(|build| *build == builds[0]) {
                prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
            }
            before = Some(now);
        }
    }
}

#[test]
fn what_only_the_new_build_can_run_goes_to_it_and_the_rest_makes_up_for_that() {
    let mut snapshot = snapshot(&[1, 2], 6, 1);
    settle(&mut snapshot);
    assert_eq!(loads(&snapshot), [6, 6]);
    let of_new = snapshot
        .tasks
        .iter()
        .filter(|it| it.assignment.ability().ends_with(":2"));
    for task in of_new {
        assert_eq!(task.holder, Some(projector(1)));
    }
}

#[test]
fn the_shards_of_one_read_model_go_to_different_projectors() {
    let mut snapshot = snapshot(&[1, 1], 2, 2);
    settle(&mut snapshot);
    for read_model in 0..2 {
        let holder = |number| {
            let wanted = shard(read_model, 1, number);
            let mut tasks = snapshot.tasks.iter();
            tasks.find(|it| it.assignment == wanted).unwrap().holder
        };
        assert_ne!(holder(0), holder(1));
    }
}

#[test]
fn who_joins_is_given_some_shards_of_each_read_model() {
    let mut snapshot = snapshot(&[1, 1], 1, 3);
    snapshot.tasks.extend((1..4).map(|it| Task {
        assignment: Assignment::Reactor(format!("reactor {it}")),
        is_kept: false,
        holder: None,
    }));
    for abilities in snapshot.projectors.values_mut().flatten() {
        abilities.extend((1..4).map(|it| assignment::reactor(&format!("reactor {it}"))));
    }
    for task in &mut snapshot.tasks {
        task.holder = Some(projector(0));
    }
    settle(&mut snapshot);
    let holders: BTreeSet<_> = snapshot.tasks[..3].iter().map(|it| it.holder).collect();
    assert_eq!(holders.len(), 2, "{snapshot:?}");
}

/// It is computed between two renewals of the leases.
#[test]
fn as_many_shards_as_there_can_be_are_divided_at_once() {
    let mut all = snapshot(&[1; 5], 17, 255);
    let five = all.projectors.clone();
    all.projectors.pop_last();
    all.projectors.pop_last();
    let begun = Instant::now();
    settle(&mut all);
    assert_eq!(loads(&all), [1_445; 3]);
    all.projectors = five;
    let stopped = settle(&mut all);
    assert_eq!(
        stopped, 1_734,
        "no more than what the two who join are given"
    );
    assert_eq!(loads(&all), [867; 5]);
    let within = begun.elapsed();
    assert!(within < Duration::from_secs(2), "it took {within:?}");
}

#[test]
fn a_projector_that_does_not_say_what_it_can_run_keeps_what_it_has_and_is_given_nothing() {
    let mut snapshot = snapshot(&[1, 1], 3, 1);
    snapshot.projectors.insert(projector(0), None);
    snapshot.tasks[0].holder = Some(projector(0));
    settle(&mut snapshot);
    assert_eq!(loads(&snapshot), [1, 2]);
    assert_eq!(snapshot.tasks[0].holder, Some(projector(0)));
}

#[test]
fn what_nobody_can_run_is_told_apart() {
    let mut snapshot = snapshot(&[2], 1, 1);
    let abilities = BTreeSet::from([shard(0, 1, 0).ability()]);
    snapshot.projectors.insert(projector(0), Some(abilities));
    let beyond_all: Vec<_> = snapshot.beyond_all().collect();
    assert_eq!(beyond_all, [&shard(0, 2, 0)]);
    for task in &mut snapshot.tasks {
        task.is_kept = true;
    }
    assert_eq!(
        snapshot.beyond_all().count(),
        0,
        "the build of a generation that is only kept may be gone"
    );
}
