//! Chaos, the fault tests: real processes on real servers under load are killed, paused, cut off
//! and misled. Then the stores are read directly, and everything that Tidemark promises is checked.
//! All choices follow from a seed that is printed.
#![expect(clippy::print_stdout, reason = "the report is what this is for")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness that cannot go on fails where it stands"
)]

mod arguments;
mod controls;
mod disks;
mod faults;
mod invariants;
mod journal;
mod load;
mod panics;
mod plan;
mod ports;
mod report;
mod round;
mod servers;
mod stack;
mod supervisor;
mod wait;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, panic};

use clap::Parser;
use tokio::signal::ctrl_c;

use arguments::Arguments;
use plan::Round;
use report::{RoundReport, Summary};
use servers::{object_store, receiver};

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(address) = receiver::address() {
        receiver::serve(address).await;
        return ExitCode::SUCCESS;
    }
    if let Some(place) = object_store::place() {
        object_store::serve(place).await;
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    // A fault fails by a panic, which is to be one line of the report and not a backtrace.
    panic::set_hook(Box::new(|panic| eprintln!("  {panic}")));
    let seed = arguments.seed();
    println!("seed {seed}");
    let directory = arguments.directory.join(seed.to_string());
    fs::create_dir_all(&directory).unwrap();
    tokio::select! {
        summary = run(&arguments, seed, &directory) => conclude(&arguments, &summary, &directory),
        _ = ctrl_c() => {
            // All processes end when the run is dropped.
            println!("interrupted; to go on: {}", arguments.command_with(seed, "--resume"));
            ExitCode::from(130)
        }
    }
}

async fn run(arguments: &Arguments, seed: u64, directory: &Path) -> Summary {
    let paths = arguments.paths();
    let plan = plan::rounds(seed, &arguments.faults());
    let mut rounds = finished_rounds(arguments, directory, &plan);
    let mut controls = Vec::new();
    for control in arguments.controls() {
        let report = control.run(&paths, directory, seed).await;
        println!("{report}");
        if !report.is_good() {
            let name = control.name;
            println!(
                "  the same control again: ./dev chaos --seed {seed} --controls {name} --times 0"
            );
        }
        controls.push(report);
    }
    let deadline = arguments
        .minutes
        .map(|minutes| Instant::now() + Duration::from_mins(minutes));
    let count = plan.len();
    for round in &plan {
        let is_finished = rounds.iter().any(|other| other.number == round.number);
        let is_other = arguments.round.is_some_and(|only| only != round.number);
        if is_finished || is_other {
            continue;
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            let command = arguments.command_with(seed, "--resume");
            println!("the time is over; to go on: {command}");
            break;
        }
        let (number, faults) = (round.number, names(round).join(" "));
        println!("round {number} of {count}: {faults}");
        let report = round::run(&paths, directory, round, arguments.skips(), |injection| {
            println!("  {injection}");
        });
        let report = report.await;
        print_round(arguments, seed, &report);
        report.save(directory);
        rounds.push(report);
    }
    Summary {
        seed,
        controls,
        rounds,
    }
}

/// The rounds of this plan that an earlier run has finished, and in which everything held.
fn finished_rounds(arguments: &Arguments, directory: &Path, plan: &[Round]) -> Vec<RoundReport> {
    if !arguments.resume {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        return Vec::new();
    }
    let mut rounds = report::finished_rounds(directory);
    rounds.retain(|finished| {
        let planned = plan.get(finished.number);
        finished.is_good() && planned.is_some_and(|round| names(round) == finished.faults)
    });
    rounds
}

fn names(round: &Round) -> Vec<&'static str> {
    round.faults.iter().map(|fault| fault.name).collect()
}

fn print_round(arguments: &Arguments, seed: u64, report: &RoundReport) {
    let (seconds, accepted, events) = (report.seconds, report.accepted, report.events);
    println!("  {accepted} commands accepted, {events} events, {seconds} s");
    if report.is_good() {
        println!("  all invariants hold");
        return;
    }
    for problem in report.problems() {
        println!("  {problem}");
    }
    println!("  evidence: {}", report.evidence());
    let command = arguments.command_with(seed, &format!("--round {}", report.number));
    println!("  the same round again: {command}");
}

fn conclude(arguments: &Arguments, summary: &Summary, directory: &Path) -> ExitCode {
    println!("\n{summary}");
    let file = directory.join("summary.json");
    fs::write(&file, serde_json::to_string_pretty(summary).unwrap()).unwrap();
    println!("the same as JSON: {}", file.display());
    if summary.is_good() {
        return ExitCode::SUCCESS;
    }
    let command = arguments.command_with(summary.seed, "--resume");
    println!("FAILED; to run only what did not pass: {command}");
    ExitCode::FAILURE
}
