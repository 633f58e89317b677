//! Projectors that join, leave and die again and again. What one gives up another one takes at once.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::sleep;

use super::recovery::PROJECTOR_RESUMES;
use super::shards::{STANDSTILL, Shards, Step};
use super::{Fault, Injection, Outcome};
use crate::stack::{Layout, Process};
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[Fault::new(
    "projectors-come-and-go",
    "projectors join, leave and are killed, a hundred times in all",
    2,
    |i| come_and_go(i).boxed(),
)
.on(four_projectors)];

/// How often a projector joins, leaves or is killed.
const CHANGES: usize = 100;
/// How many of these may follow each other before the projectors have shared the work anew.
const BURST_MAX: usize = 5;
/// The longest pause within a burst. It is too short to share the work anew each time.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A change of who runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// One that does not run is started.
    Join,
    /// One is ended by SIGTERM.
    Leave,
    /// One is ended by SIGKILL, and started again.
    Kill,
}

/// How often each is chosen. A kill takes longest, since leases must run out.
const CHOICES: [Change; 5] = [
    Change::Join,
    Change::Join,
    Change::Leave,
    Change::Leave,
    Change::Kill,
];

fn four_projectors() -> Layout {
    Layout {
        more_projectors: 1,
        ..Layout::default()
    }
}

/// Between one and all of the projectors run, three at first. Nothing stands still, and nothing is handed to and fro.
async fn come_and_go(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let shards = Shards::watch(&stack, step(&[Change::Join; 2]));
    for standby in &stack.projectors[1..3] {
        join(standby).await;
    }
    share(&stack.projectors, &shards).await;
    let mut left = CHANGES;
    while left > 0 {
        let burst = burst(&mut injection, left);
        left -= burst.len();
        shards.begin(step(&burst));
        for change in burst {
            make(change, &mut injection).await;
            sleep(injection.between(Duration::ZERO, PAUSE_MAX)).await;
        }
        share(&stack.projectors, &shards).await;
    }
    let longest = shards.assert_moved();
    injection.wait_for_read_models(PROJECTOR_RESUMES).await;
    Outcome::Recovered(longest)
}

/// Chooses changes that follow each other. A kill is the last one: if the next one were killed before the leases of
/// the first have run out, what both have run would stand still for longer than it may after a kill.
fn burst(injection: &mut Injection, most: usize) -> Vec<Change> {
    let projectors = injection.stack.projectors.len();
    let mut running = running(&injection.stack.projectors).len();
    let mut burst = Vec::new();
    while burst.len() < most.min(BURST_MAX) && burst.last() != Some(&Change::Kill) {
        let change = *injection.one_of(&CHOICES);
        match change {
            Change::Join if running < projectors => running += 1,
            Change::Leave if running > 1 => running -= 1,
            Change::Kill => {}
            Change::Join | Change::Leave => continue,
        }
        burst.push(change);
    }
    burst
}

/// What may come of a burst.
fn step(burst: &[Change]) -> Step {
    let takes = burst.iter().map(|change| match change {
        Change::Join | Change::Leave => 1,
        // It leaves, and joins again.
        Change::Kill => 2,
    });
    let takes_max = takes.sum();
    if burst.contains(&Change::Kill) {
        Step {
            name: "projectors came and went, and one was killed",
            takes_max,
            standstill_max: PROJECTOR_RESUMES,
        }
    } else {
        Step {
            name: "projectors came and went",
            takes_max,
            standstill_max: STANDSTILL,
        }
    }
}

/// Makes a change to one of the projectors.
async fn make(change: Change, injection: &mut Injection) {
    let stack = injection.stack.clone();
    let runs = |process: &&Process| !process.supervised.is_held();
    let (running, waiting): (Vec<_>, Vec<_>) = stack.projectors.iter().partition(runs);
    match change {
        Change::Join => join(injection.one_of::<&Process>(&waiting)).await,
        Change::Leave => injection.one_of::<&Process>(&running).stop().await,
        Change::Kill => {
            let killed = injection.one_of::<&Process>(&running);
            killed.kill_and_wait().await;
        }
    }
}

/// Starts a projector, and waits until it runs; it need not be ready.
async fn join(projector: &Process) {
    projector.supervised.release();
    wait_until("a projector runs", || async {
        projector.supervised.pid().is_some()
    })
    .await;
}

/// Waits until the projectors that run have shared the work.
async fn share(projectors: &[Process], shards: &Shards) {
    for projector in running(projectors) {
        projector.ready().await;
    }
    shards.settle().await;
}

fn running(projectors: &[Process]) -> Vec<&Process> {
    let runs = |projector: &&Process| !projector.supervised.is_held();
    projectors.iter().filter(runs).collect()
}
