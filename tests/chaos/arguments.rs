//! The command line.

use std::path::PathBuf;
use std::process;

use clap::Parser;

use crate::controls::{CONTROLS, Control};
use crate::faults;
use crate::faults::Fault;
use crate::servers::Machine;

/// Of a run that is the same each time.
const CI_SEED: u64 = 20_261_121;
/// What it injects.
const CI_FAULTS: [&str; 13] = [
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "f6",
    "f8",
    "f12",
    "f14-api-postgres",
    "f14-relay-kafka",
    "f30",
    "f35-all",
    "f47",
];

/// Which mistakes the counters must see.
const CI_CONTROLS: [&str; 2] = ["c3", "c5"];

/// Injects faults into a running Tidemark, and counts what it promised and did not keep.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// What everything follows from; another one each time unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Which faults, by the ids of the table; all unless given.
    #[arg(long, value_delimiter = ',', value_parser = known)]
    faults: Vec<Fault>,
    /// Which mistakes the counters must see first, by their ids; all unless anything was chosen.
    #[arg(long, value_delimiter = ',', value_parser = known_control)]
    controls: Vec<Control>,
    /// How often each; as the table of a full run says unless given.
    #[arg(long)]
    times: Option<u32>,
    /// About three minutes, the same each time.
    #[arg(long, conflicts_with_all = ["seed", "faults", "times", "controls"])]
    pub(crate) ci: bool,
    /// Begin no further round after so long.
    #[arg(long)]
    pub(crate) minutes: Option<u64>,
    /// Go on where a run of this seed was interrupted.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Only this round of the plan.
    #[arg(long)]
    pub(crate) round: Option<usize>,
    /// Where the runs are, one directory a seed.
    #[arg(long, default_value = ".dev/chaos")]
    pub(crate) directory: PathBuf,
    /// Where `initdb` and `postgres` are.
    #[arg(long)]
    postgres_bin: PathBuf,
    /// Where Kafka's jars are.
    #[arg(long)]
    kafka_libs: PathBuf,
    /// Where the configuration of the servers is.
    #[arg(long, default_value = "deploy")]
    deploy: PathBuf,
}

fn known(id: &str) -> Result<Fault, String> {
    let mut all = faults::all().into_iter();
    let found = all.find(|fault| fault.id == id);
    found.ok_or_else(|| {
        let ids: Vec<_> = faults::all().iter().map(|fault| fault.id).collect();
        format!("there are: {}", ids.join(", "))
    })
}

fn known_control(id: &str) -> Result<Control, String> {
    let found = CONTROLS.iter().find(|control| control.id == id).copied();
    found.ok_or_else(|| {
        let ids: Vec<_> = CONTROLS.iter().map(|control| control.id).collect();
        format!("there are: {}", ids.join(", "))
    })
}

impl Arguments {
    /// The seed that was given, or a new one.
    pub(crate) fn seed(&self) -> u64 {
        if self.ci {
            return CI_SEED;
        }
        self.seed.unwrap_or_else(|| process::id().into())
    }

    /// Which faults, and how often.
    pub(crate) fn wanted(&self) -> Vec<(Fault, u32)> {
        if self.ci {
            return CI_FAULTS.map(|id| (known(id).unwrap(), 1)).to_vec();
        }
        let all = if self.faults.is_empty() {
            faults::all()
        } else {
            self.faults.clone()
        };
        let times = |fault: &Fault| self.times.unwrap_or(fault.full);
        all.into_iter()
            .map(|fault| (fault, times(&fault)))
            .collect()
    }

    /// Which controls.
    pub(crate) fn controls(&self) -> Vec<Control> {
        if self.ci {
            return CI_CONTROLS.map(|id| known_control(id).unwrap()).to_vec();
        }
        if self.controls.is_empty() && self.faults.is_empty() && self.round.is_none() {
            return CONTROLS.to_vec();
        }
        self.controls.clone()
    }

    /// Where everything is that a stack is made of.
    pub(crate) fn machine(&self) -> Machine {
        Machine {
            postgres_bin: self.postgres_bin.clone(),
            kafka_libs: self.kafka_libs.clone(),
            deploy: self.deploy.clone(),
            binaries: std::env::current_exe().unwrap().parent().unwrap().into(),
        }
    }

    /// The line that does the same again, with something more.
    pub(crate) fn again(&self, seed: u64, more: &str) -> String {
        let mut line = vec!["./dev chaos".to_owned()];
        if self.ci {
            line.push("--ci".to_owned());
        } else {
            line.push(format!("--seed {seed}"));
        }
        if !self.faults.is_empty() {
            let ids: Vec<_> = self.faults.iter().map(|fault| fault.id).collect();
            line.push(format!("--faults {}", ids.join(",")));
        }
        line.extend(self.times.map(|times| format!("--times {times}")));
        line.push(more.to_owned());
        line.join(" ")
    }
}
