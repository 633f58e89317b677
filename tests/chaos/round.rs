//! One round: start a stack and the load, inject faults one after the other, end the load, and
//! check all invariants.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::timeout;

use crate::faults::{Fault, Injection};
use crate::invariants;
use crate::invariants::topics::Repeats;
use crate::invariants::{Checked, Observed};
use crate::load::Load;
use crate::panics::message_of;
use crate::plan::Round;
use crate::report::{InjectionReport, InjectionResult, InvariantReport, RoundReport, Skips};
use crate::servers::Paths;
use crate::stack::Stack;

/// Longer than any fault and the recovery from it.
const INJECTION_TIMEOUT: Duration = Duration::from_mins(8);
/// Commands that are accepted between two faults.
const COMMANDS_BETWEEN: u64 = 150;
/// How many violations of an invariant the report shows.
const VIOLATIONS_SHOWN: usize = 20;

/// Runs a round. Its data and logs are kept in a directory below `directory` if something was
/// wrong.
pub(crate) async fn run(
    paths: &Paths,
    directory: &Path,
    round: &Round,
    skips: Skips,
    on_injection: impl Fn(&InjectionReport),
) -> RoundReport {
    let directory = directory.join(format!("round-{}", round.number));
    // An earlier run that was interrupted may have left something.
    let _ = fs::remove_dir_all(&directory);
    let started = Instant::now();
    let mut report = RoundReport::new(round, &directory);
    let work = inject_and_check(paths, &directory, round, skips, &mut report, on_injection);
    if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
        report.broken = Some(message_of(&*panic));
    }
    report.seconds = started.elapsed().as_secs();
    if report.is_good() {
        let _ = fs::remove_dir_all(&directory);
    }
    report
}

async fn inject_and_check(
    paths: &Paths,
    directory: &Path,
    round: &Round,
    skips: Skips,
    report: &mut RoundReport,
    on_injection: impl Fn(&InjectionReport),
) {
    let layout = round.faults[0].layout;
    let layout = tokio::task::spawn_blocking(layout).await.unwrap();
    let stack = Arc::new(Stack::start(paths, directory, layout).await);
    let load = Arc::new(Load::start(&stack, round.seed, directory).await);
    // Errors are excused while pools are empty and caches are cold.
    load.fault_begins("start");
    load.wait_for_commands(COMMANDS_BETWEEN).await;
    load.fault_ends("start");
    let mut rng = StdRng::seed_from_u64(round.seed);
    for fault in &round.faults {
        load.wait_for_commands(COMMANDS_BETWEEN).await;
        let injection = Injection {
            stack: stack.clone(),
            load: load.clone(),
            rng: StdRng::seed_from_u64(rng.random()),
        };
        let injected = inject(fault, injection, skips).await;
        on_injection(&injected);
        report.injections.push(injected);
    }
    load.wait_for_commands(COMMANDS_BETWEEN).await;
    let load = Arc::into_inner(load).expect("no injection is under way");
    report.accepted = load.tally().accepted;
    let journal = load.finish().await;
    let repeats = round.faults.iter().map(|fault| fault.repeats).max();
    let repeats = repeats.unwrap_or(Repeats::Forbidden);
    let observed = Observed::gather(&stack, journal, repeats).await;
    invariants::assert_enough_happened(&observed);
    report.events = observed.log.len();
    let checked = tokio::task::spawn_blocking(move || invariants::check(&observed));
    let checked = checked.await.unwrap();
    report.invariants = checked.into_iter().map(report_of).collect();
}

fn report_of(checked: Checked) -> InvariantReport {
    let Checked {
        invariant,
        violations,
    } = checked;
    InvariantReport {
        name: invariant.name.to_owned(),
        violation: invariant.violation.to_owned(),
        count: violations.len(),
        first: violations.into_iter().take(VIOLATIONS_SHOWN).collect(),
    }
}

/// Injects a fault, heals the stack, and waits until the service is back.
async fn inject(fault: &Fault, injection: Injection, skips: Skips) -> InjectionReport {
    let (stack, load) = (injection.stack.clone(), injection.load.clone());
    load.fault_begins(fault.name);
    let before = load.tally();
    let work = timeout(INJECTION_TIMEOUT, (fault.inject)(injection));
    let result = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(outcome)) => InjectionResult::of(outcome, skips),
        Ok(Err(_)) => InjectionResult::Failed {
            reason: format!("it did not end within {INJECTION_TIMEOUT:?}"),
        },
        Err(panic) => InjectionResult::Failed {
            reason: message_of(&*panic),
        },
    };
    stack.heal().await;
    load.wait_for_accepted_command().await;
    load.wait_for_answered_query().await;
    load.fault_ends(fault.name);
    InjectionReport {
        fault: fault.name.to_owned(),
        result,
        tally: load.tally() - before,
    }
}
