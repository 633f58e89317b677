//! What came of a run: a line for each finished round, from which an interrupted run goes on.

mod summary;

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

use crate::faults::Outcome;
use crate::journal;
use crate::load::Tally;
use crate::plan::Round;

pub(crate) use summary::Summary;

/// The finished rounds of a run, one per line, as JSON.
const FILE: &str = "rounds.jsonl";

/// What came of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoundReport {
    pub(crate) number: usize,
    pub(crate) seed: u64,
    /// The faults that were to be injected: a round with other ones is another round.
    pub(crate) faults: Vec<String>,
    /// The directory of its data, journal and logs, which is kept if something was wrong.
    pub(crate) directory: PathBuf,
    pub(crate) injections: Vec<InjectionReport>,
    pub(crate) invariants: Vec<InvariantReport>,
    /// Why the round did not come to its end.
    pub(crate) broken: Option<String>,
    /// Commands that were accepted.
    pub(crate) accepted: u64,
    /// Events in the log at the end.
    pub(crate) events: usize,
    pub(crate) seconds: u64,
}

/// What came of one injection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InjectionReport {
    pub(crate) fault: String,
    pub(crate) result: InjectionResult,
    /// What the clients saw from the begin of the fault until the service was back.
    pub(crate) tally: Tally,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum InjectionResult {
    Passed { recovery_ms: u64 },
    Failed { reason: String },
    Skipped { reason: String },
}

/// Whether a fault may be left out that this machine cannot inject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Skips {
    Allowed,
    /// It has failed. In CI nobody reads that it was left out.
    Forbidden,
}

/// What came of an invariant in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InvariantReport {
    pub(crate) name: String,
    /// What each violation is.
    pub(crate) violation: String,
    /// How many violations there were.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) first: Vec<String>,
}

/// What came of a positive control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ControlReport {
    pub(crate) name: String,
    pub(crate) mistake: String,
    /// The invariant that must see the mistake.
    pub(crate) invariant: String,
    pub(crate) result: ControlResult,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum ControlResult {
    Seen {
        violations: usize,
    },
    NotSeen,
    /// This machine cannot make the mistake.
    Skipped {
        reason: String,
    },
    /// The control did not come to its end.
    Broken {
        reason: String,
    },
}

impl InjectionResult {
    /// The result of an injection that came to its end.
    pub(crate) fn of(outcome: Outcome, skips: Skips) -> Self {
        match outcome {
            Outcome::Recovered(after) => Self::Passed {
                recovery_ms: after.as_millis().try_into().unwrap(),
            },
            Outcome::Skipped(reason) if skips == Skips::Allowed => Self::Skipped { reason },
            Outcome::Skipped(reason) => Self::Failed {
                reason: format!("in CI every fault must be injected: {reason}"),
            },
        }
    }
}

impl RoundReport {
    /// The report of a round that has not begun.
    pub(crate) fn new(round: &Round, directory: &Path) -> Self {
        Self {
            number: round.number,
            seed: round.seed,
            faults: round.faults.iter().map(|f| f.name.to_owned()).collect(),
            directory: directory.to_owned(),
            injections: Vec::new(),
            invariants: Vec::new(),
            broken: None,
            accepted: 0,
            events: 0,
            seconds: 0,
        }
    }

    /// Whether everything held.
    pub(crate) fn is_good(&self) -> bool {
        self.problems().is_empty()
    }

    /// What was wrong, each with what shows it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let failed = self.injections.iter().filter_map(|one| match &one.result {
            InjectionResult::Failed { reason } => Some(format!("FAILED {}: {reason}", one.fault)),
            InjectionResult::Passed { .. } | InjectionResult::Skipped { .. } => None,
        });
        let violated = self.invariants.iter().filter(|one| one.count > 0);
        let violated = violated.map(InvariantReport::to_string);
        let broken = self.broken.iter();
        let broken = broken.map(|reason| format!("BROKEN, the round did not end: {reason}"));
        failed.chain(violated).chain(broken).collect()
    }

    /// Where to look for more.
    pub(crate) fn evidence(&self) -> String {
        format!(
            "{}: {} has what clients sent and were answered, NAME.log what each process and server \
             printed; the data of the servers is there too",
            self.directory.display(),
            journal::FILE
        )
    }

    /// Adds it to the finished rounds of a run.
    pub(crate) fn save(&self, directory: &Path) {
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(directory.join(FILE))
            .unwrap();
        let line = serde_json::to_string(self).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// The finished rounds of the run in a directory.
pub(crate) fn finished_rounds(directory: &Path) -> Vec<RoundReport> {
    let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
    // A run that was killed may have left half a line: that round was not finished.
    let round = |line| serde_json::from_str(line).ok();
    text.lines().filter_map(round).collect()
}

impl Display for InvariantReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            violation,
            count,
            first,
        } = self;
        write!(f, "VIOLATED {name}, {count} times: {violation}")?;
        for line in first {
            write!(f, "\n      {line}")?;
        }
        match count - first.len() {
            0 => Ok(()),
            more => write!(f, "\n      … and {more} more"),
        }
    }
}

impl Display for InjectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault,
            result,
            tally,
        } = self;
        match result {
            InjectionResult::Passed { recovery_ms } => {
                write!(f, "{fault}: back after {recovery_ms} ms")
            }
            InjectionResult::Failed { reason } => write!(f, "{fault}: FAILED: {reason}"),
            InjectionResult::Skipped { reason } => write!(f, "{fault}: skipped: {reason}"),
        }?;
        write!(
            f,
            "; meanwhile {} commands accepted, {} requests not answered, {} answered 503",
            tally.accepted, tally.unanswered, tally.unavailable
        )
    }
}

impl ControlReport {
    /// Whether the mistake was seen, if it could be made here.
    pub(crate) fn is_good(&self) -> bool {
        match self.result {
            ControlResult::Seen { .. } | ControlResult::Skipped { .. } => true,
            ControlResult::NotSeen | ControlResult::Broken { .. } => false,
        }
    }
}

impl Display for ControlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            mistake,
            invariant,
            result,
        } = self;
        write!(f, "control {name} ({mistake}): ")?;
        match result {
            ControlResult::Seen { violations } => {
                write!(f, "{invariant} sees {violations} violations")
            }
            ControlResult::NotSeen => write!(f, "FAILED: {invariant} does not see it"),
            ControlResult::Skipped { reason } => write!(f, "skipped: {reason}"),
            ControlResult::Broken { reason } => write!(f, "BROKEN, it did not end: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn round_of(outcome: Outcome, skips: Skips) -> RoundReport {
        let round = Round {
            number: 0,
            seed: 1,
            faults: Vec::new(),
        };
        let mut report = RoundReport::new(&round, Path::new("round-0"));
        report.injections.push(InjectionReport {
            fault: "step-clock".to_owned(),
            result: InjectionResult::of(outcome, skips),
            tally: Tally::default(),
        });
        report
    }

    #[test]
    fn a_fault_that_is_skipped_is_a_failure_in_ci_and_nowhere_else() {
        let skipped = || Outcome::Skipped("install faketime".to_owned());
        assert!(round_of(skipped(), Skips::Allowed).is_good());
        let problems = round_of(skipped(), Skips::Forbidden).problems();
        let problem =
            "FAILED step-clock: in CI every fault must be injected: install faketime".to_owned();
        assert_eq!(problems, [problem]);
        let recovered = Outcome::Recovered(Duration::from_millis(7));
        assert!(round_of(recovered, Skips::Forbidden).is_good());
    }
}
