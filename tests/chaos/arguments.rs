//! The command line.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, process};

use clap::Parser;

use crate::controls;
use crate::controls::Control;
use crate::faults;
use crate::faults::Fault;
use crate::report::Skips;
use crate::servers::Paths;

/// The seed of `--ci`, so that it does the same each time.
const CI_SEED: u64 = 20_261_121;
/// The faults that `--ci` injects.
const CI_FAULTS: [&str; 23] = [
    "kill-command-api",
    "kill-relay",
    "kill-projector",
    "kill-query-api",
    "kill-postgres",
    "kill-postgres-backend",
    "kill-redis",
    "zombie-projector",
    "cut-command-api-to-postgres",
    "cut-relay-to-kafka",
    "duplicate-all-records",
    "flush-redis",
    "fill-redis",
    "kill-mail-server",
    "kill-object-store",
    "kill-receiver",
    "poison-malformed",
    "poison-refused-row",
    "rolling-restart",
    "step-clock",
    "slow-commits",
    "two-writers",
    "kill-rebuilding-projector",
];
/// The positive controls of `--ci`.
const CI_CONTROLS: [&str; 2] = ["checkpoint-apart-from-rows", "poll-by-sequence"];

/// Injects faults into a running Tidemark, and checks that it keeps what it promises.
///
/// A run has rounds. Each round starts a Postgres, a Redis, a Kafka and Tidemark's processes of its
/// own, has 16 clients send about 400 commands per second, and injects up to ten faults, one after
/// the other. The clients keep a journal of what they sent and were answered. When the load has
/// ended, the log, the topics, the rows and the documents in Redis are read directly, and all
/// invariants are checked. Before the first round, positive controls make mistakes on purpose that
/// the invariants must see.
///
/// Everything follows from a seed, which is printed. A failure prints what was violated, where the
/// journal and the logs are, and the command that does the same again. docs/reliability.md explains
/// every fault, invariant and control. Without options a run takes about two hours; some faults
/// need root, and are skipped without it.
#[derive(Parser)]
#[command(
    version,
    override_usage = "./dev chaos [OPTIONS]",
    after_long_help = names()
)]
pub(crate) struct Arguments {
    /// The number that all choices follow from; a new one each time unless given.
    /// Example: --seed 2026
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Only these faults, and no controls unless --controls names them; all faults unless given.
    /// Example: --faults kill-relay,pause-postgres
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = fault_named)]
    faults: Vec<Fault>,
    /// Only these positive controls; all of them unless --faults or --round is given.
    /// Example: --controls poll-by-sequence --times 0 (no faults at all)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = control_named)]
    controls: Vec<Control>,
    /// How often each fault is injected; 1 to 100 times, as the list below says, unless given.
    /// Example: --faults kill-relay --times 20
    #[arg(long, value_name = "COUNT")]
    times: Option<u32>,
    /// A run of about five minutes that is the same each time, of a debug build.
    #[arg(long, conflicts_with_all = ["seed", "faults", "times", "controls"])]
    pub(crate) ci: bool,
    /// Begin no further round after this many minutes.
    /// Example: --minutes 30
    #[arg(long, value_name = "MINUTES")]
    pub(crate) minutes: Option<u64>,
    /// Go on where an interrupted run of this seed stopped, with the same other options.
    /// Example: --seed 2026 --resume
    #[arg(long)]
    pub(crate) resume: bool,
    /// Only this round of the plan, counted from 0.
    /// Example: --seed 2026 --round 14
    #[arg(long, value_name = "NUMBER")]
    pub(crate) round: Option<usize>,
    /// The directory of all runs, in which each seed has one. `./dev` passes this option and those
    /// below.
    #[arg(long, hide = true, default_value = ".dev/chaos")]
    pub(crate) directory: PathBuf,
    /// The directory of `initdb`, `postgres` and `psql`.
    #[arg(long, hide = true)]
    postgres_bin: PathBuf,
    /// The directory of Kafka's jars.
    #[arg(long, hide = true)]
    kafka_libs: PathBuf,
    /// The directory of the servers' configuration.
    #[arg(long, hide = true, default_value = "deploy")]
    deploy: PathBuf,
}

/// The lists of names at the end of the help.
fn names() -> String {
    let mut text = "Faults, and how often a full run injects each:\n".to_owned();
    for fault in faults::all() {
        let (name, times, description) = (fault.name, fault.times, fault.description);
        let _ = writeln!(text, "  {name:<36} {times:>3}  {description}");
    }
    text.push_str("\nPositive controls:\n");
    for control in controls::ALL {
        let _ = writeln!(text, "  {:<36}      {}", control.name, control.mistake);
    }
    text
}

fn fault_named(name: &str) -> Result<Fault, String> {
    let mut all = faults::all().into_iter();
    let found = all.find(|fault| fault.name == name);
    found.ok_or_else(|| "there is no such fault; --help lists all".to_owned())
}

fn control_named(name: &str) -> Result<Control, String> {
    let mut all = controls::ALL.iter();
    let found = all.find(|control| control.name == name).copied();
    found.ok_or_else(|| "there is no such control; --help lists all".to_owned())
}

impl Arguments {
    /// The seed that was given, or a new one.
    pub(crate) fn seed(&self) -> u64 {
        if self.ci {
            return CI_SEED;
        }
        self.seed.unwrap_or_else(|| process::id().into())
    }

    /// The faults to inject, each with how often.
    pub(crate) fn faults(&self) -> Vec<(Fault, u32)> {
        if self.ci {
            return CI_FAULTS
                .map(|name| (fault_named(name).unwrap(), 1))
                .to_vec();
        }
        let faults = if self.faults.is_empty() {
            faults::all()
        } else {
            self.faults.clone()
        };
        let times = |fault: &Fault| self.times.unwrap_or(fault.times);
        faults
            .into_iter()
            .map(|fault| (fault, times(&fault)))
            .collect()
    }

    /// Whether a fault may be skipped: none of `--ci` in CI, where `CI` is `true`.
    pub(crate) fn skips(&self) -> Skips {
        let is_in_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
        if self.ci && is_in_ci {
            Skips::Forbidden
        } else {
            Skips::Allowed
        }
    }

    /// The positive controls to run.
    pub(crate) fn controls(&self) -> Vec<Control> {
        if self.ci {
            return CI_CONTROLS
                .map(|name| control_named(name).unwrap())
                .to_vec();
        }
        if self.controls.is_empty() && self.faults.is_empty() && self.round.is_none() {
            return controls::ALL.to_vec();
        }
        self.controls.clone()
    }

    /// Where everything is that a stack is made of.
    pub(crate) fn paths(&self) -> Paths {
        Paths {
            postgres_bin: self.postgres_bin.clone(),
            kafka_libs: self.kafka_libs.clone(),
            deploy: self.deploy.clone(),
            binaries: env::current_exe().unwrap().parent().unwrap().into(),
        }
    }

    /// The command that makes the same plan again, with a further option.
    pub(crate) fn command_with(&self, seed: u64, option: &str) -> String {
        let mut command = vec!["./dev chaos".to_owned()];
        if self.ci {
            command.push("--ci".to_owned());
        } else {
            command.push(format!("--seed {seed}"));
        }
        if !self.faults.is_empty() {
            let names: Vec<_> = self.faults.iter().map(|fault| fault.name).collect();
            command.push(format!("--faults {}", names.join(",")));
        }
        command.extend(self.times.map(|times| format!("--times {times}")));
        command.push(option.to_owned());
        command.join(" ")
    }
}
