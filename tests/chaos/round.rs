//! One round: a stack is started, the load begins, faults are injected one after the other, the load
//! ends, and everything is counted.

use std::any::Any;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::timeout;

use crate::check;
use crate::check::Evidence;
use crate::faults::{Episode, Fault, Outcome, Topics};
use crate::load::Load;
use crate::plan::Round;
use crate::report::{Counted, Injected, Result, RoundReport};
use crate::servers::Machine;
use crate::stack::Stack;

/// Longer than any fault and the recovery from it.
const EPISODE: Duration = Duration::from_mins(4);
/// Commands that are accepted between two faults.
const BREATH: u64 = 150;
/// Lines that are kept of what a counter found.
const KEPT: usize = 20;

/// Runs a round. What went wrong is in the report, and its directory is kept then.
pub(crate) async fn run(
    machine: &Machine,
    directory: &Path,
    round: &Round,
    progress: impl Fn(&Injected),
) -> RoundReport {
    let directory = directory.join(format!("round-{}", round.number));
    // Of an earlier try, which was interrupted.
    let _ = fs::remove_dir_all(&directory);
    let begun = Instant::now();
    let mut report = RoundReport::new(round);
    let work = rounds(machine, &directory, round, &mut report, progress);
    if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
        report.broken = Some(message(&*panic));
    }
    report.seconds = begun.elapsed().as_secs();
    if report.is_clean() {
        let _ = fs::remove_dir_all(&directory);
    }
    report
}

async fn rounds(
    machine: &Machine,
    directory: &Path,
    round: &Round,
    report: &mut RoundReport,
    progress: impl Fn(&Injected),
) {
    let layout = round.faults[0].layout;
    let layout = tokio::task::spawn_blocking(layout).await.unwrap();
    let stack = Arc::new(Stack::start(machine, directory, layout).await);
    let load = Arc::new(Load::start(&stack, round.seed, directory).await);
    // Pools are empty and caches cold at first: that is no time to judge.
    load.fault_begins("start");
    load.accepted(BREATH).await;
    load.fault_ends("start");
    let mut rng = StdRng::seed_from_u64(round.seed);
    for fault in &round.faults {
        load.accepted(BREATH).await;
        let episode = Episode {
            stack: stack.clone(),
            load: load.clone(),
            rng: StdRng::seed_from_u64(rng.random()),
        };
        let injected = inject(fault, episode).await;
        progress(&injected);
        report.injected.push(injected);
    }
    load.accepted(BREATH).await;
    let load = Arc::into_inner(load).expect("a fault has ended");
    report.accepted = load.tally().accepted;
    let lines = load.finish().await;
    let topics = round.faults.iter().map(|fault| fault.topics).max();
    let evidence = Evidence::gather(&stack, lines, topics.unwrap_or(Topics::Exact)).await;
    check::expect_life(&evidence);
    report.events = evidence.log.len();
    report.counters = tokio::task::spawn_blocking(move || check::count(&evidence))
        .await
        .unwrap()
        .into_iter()
        .map(|counter| Counted {
            id: counter.id.to_owned(),
            title: counter.title.to_owned(),
            count: counter.found.len(),
            found: counter.found.into_iter().take(KEPT).collect(),
        })
        .collect();
}

/// Injects a fault, heals, and waits until the service is back.
async fn inject(fault: &Fault, episode: Episode) -> Injected {
    let (stack, load) = (episode.stack.clone(), episode.load.clone());
    load.fault_begins(fault.id);
    let before = load.tally();
    let work = timeout(EPISODE, (fault.inject)(episode));
    let result = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(Outcome::Recovered(after))) => Result::Passed {
            recovery_ms: after.as_millis().try_into().unwrap(),
        },
        Ok(Ok(Outcome::Skipped(reason))) => Result::Skipped { reason },
        Ok(Err(_)) => Result::Failed {
            reason: format!("did not end in {EPISODE:?}"),
        },
        Err(panic) => Result::Failed {
            reason: message(&*panic),
        },
    };
    stack.heal().await;
    load.accepts().await;
    load.answers().await;
    load.fault_ends(fault.id);
    Injected {
        fault: fault.id.to_owned(),
        result,
        tally: load.tally() - before,
    }
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}
