//! Chaos: real processes on real servers under load, killed, paused, cut off and lied to, from a
//! seed that is printed. Then the stores are read directly, and what was promised is counted.
#![expect(clippy::print_stdout, reason = "the tables are what this is for")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness that cannot go on fails where it stands"
)]

mod arguments;
mod calibration;
mod check;
mod controls;
mod faults;
mod journal;
mod load;
mod plan;
mod ports;
mod report;
mod round;
mod servers;
mod stack;
mod supervisor;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, panic};

use clap::Parser;
use tokio::signal::ctrl_c;

use arguments::Arguments;
use calibration::Calibrated;
use plan::Round;
use report::{Injected, Result, RoundReport, Summary};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A fault that fails is one line of the report, not a backtrace.
    panic::set_hook(Box::new(|panic| eprintln!("  {panic}")));
    let seed = arguments.seed();
    println!("seed {seed}");
    let directory = arguments.directory.join(seed.to_string());
    fs::create_dir_all(&directory).unwrap();
    tokio::select! {
        summary = run(&arguments, seed, &directory) => conclude(&arguments, &summary, &directory),
        _ = ctrl_c() => {
            // What was started ends as this is dropped.
            println!("interrupted; to go on: {}", arguments.again(seed, "--resume"));
            ExitCode::from(130)
        }
    }
}

async fn run(arguments: &Arguments, seed: u64, directory: &Path) -> Summary {
    let machine = arguments.machine();
    let plan = plan::rounds(seed, &arguments.wanted());
    let mut rounds = finished(arguments, directory, &plan);
    let mut controls = Vec::new();
    for control in arguments.controls() {
        let calibrated = calibration::calibrate(&machine, directory, &control, seed).await;
        println!("{}", tell_control(&calibrated));
        controls.push(calibrated);
    }
    let deadline = arguments
        .minutes
        .map(|minutes| Instant::now() + Duration::from_mins(minutes));
    let count = plan.len();
    for round in &plan {
        let is_done = rounds.iter().any(|done| done.number == round.number);
        let is_other = arguments.round.is_some_and(|only| only != round.number);
        if is_done || is_other {
            continue;
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            println!(
                "the time is over; to go on: {}",
                arguments.again(seed, "--resume")
            );
            break;
        }
        let number = round.number;
        println!("round {number} of {count}: {}", names(round));
        let report = round::run(&machine, directory, round, |one| {
            println!("  {}", tell(one));
        });
        let report = report.await;
        conclude_round(arguments, seed, &report);
        report.save(directory);
        rounds.push(report);
    }
    Summary {
        seed,
        controls,
        rounds,
    }
}

/// The rounds of this plan that an earlier run finished well.
fn finished(arguments: &Arguments, directory: &Path, plan: &[Round]) -> Vec<RoundReport> {
    if !arguments.resume {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        return Vec::new();
    }
    let mut rounds = report::finished(directory);
    rounds.retain(|done| {
        let planned = plan.get(done.number);
        done.is_clean() && planned.is_some_and(|round| ids(round) == done.faults)
    });
    rounds
}

fn ids(round: &Round) -> Vec<&'static str> {
    round.faults.iter().map(|fault| fault.id).collect()
}

fn names(round: &Round) -> String {
    ids(round).join(" ")
}

fn tell_control(one: &Calibrated) -> String {
    let (id, title, counter, found) = (&one.id, &one.title, &one.counter, one.found);
    let result = match (&one.broken, &one.skipped) {
        (Some(reason), _) => format!("BROKEN: {reason}"),
        (None, Some(reason)) => format!("skipped: {reason}"),
        (None, None) if found > 0 => format!("{counter} sees it: {found}"),
        (None, None) => format!("NOT SEEN by {counter}"),
    };
    format!("control {id}, {title}: {result}")
}

fn tell(one: &Injected) -> String {
    let (fault, tally) = (&one.fault, &one.tally);
    let result = match &one.result {
        Result::Passed { recovery_ms } => format!("back after {recovery_ms} ms"),
        Result::Failed { reason } => format!("FAILED: {reason}"),
        Result::Skipped { reason } => format!("skipped: {reason}"),
    };
    let (accepted, unknown, shed) = (tally.accepted, tally.unknown, tally.unavailable);
    format!("{fault}: {result}; {accepted} accepted, {unknown} unknown, {shed} shed meanwhile")
}

fn conclude_round(arguments: &Arguments, seed: u64, report: &RoundReport) {
    let (seconds, accepted, events) = (report.seconds, report.accepted, report.events);
    println!("  {accepted} commands accepted, {events} events, {seconds} s");
    if report.is_clean() {
        println!("  all counters are zero");
        return;
    }
    for problem in report.problems() {
        println!("  {problem}");
    }
    let again = arguments.again(seed, &format!("--round {}", report.number));
    println!("  seed {seed}; again: {again}");
}

fn conclude(arguments: &Arguments, summary: &Summary, directory: &Path) -> ExitCode {
    println!("\n{summary}");
    let file = directory.join("summary.json");
    fs::write(&file, serde_json::to_string_pretty(summary).unwrap()).unwrap();
    println!("in {}", file.display());
    if summary.is_clean() {
        return ExitCode::SUCCESS;
    }
    println!(
        "FAILED: seed {0}; {1}",
        summary.seed,
        arguments.again(summary.seed, "--resume")
    );
    ExitCode::FAILURE
}
