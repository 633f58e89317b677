//! What came out: a line for each finished round, from which an interrupted run goes on, and tables
//! of faults and counters at the end.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

use crate::calibration::Calibrated;
use crate::load::Tally;
use crate::plan::Round;

/// The finished rounds, one a line.
const FILE: &str = "rounds.jsonl";

/// What became of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoundReport {
    pub(crate) number: usize,
    pub(crate) seed: u64,
    /// What was to be injected: a round of another plan is another round.
    pub(crate) faults: Vec<String>,
    pub(crate) injected: Vec<Injected>,
    pub(crate) counters: Vec<Counted>,
    /// Why it did not come to its end.
    pub(crate) broken: Option<String>,
    /// Commands that were accepted.
    pub(crate) accepted: u64,
    /// Events in the log at the end.
    pub(crate) events: usize,
    pub(crate) seconds: u64,
}

/// One injection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Injected {
    pub(crate) fault: String,
    pub(crate) result: Result,
    /// What the clients saw meanwhile.
    pub(crate) tally: Tally,
}

/// What became of an injection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum Result {
    Passed { recovery_ms: u64 },
    Failed { reason: String },
    Skipped { reason: String },
}

/// A counter at the end of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) found: Vec<String>,
}

impl RoundReport {
    /// Of a round that has not begun.
    pub(crate) fn new(round: &Round) -> Self {
        let ids = round.faults.iter().map(|fault| fault.id.to_owned());
        Self {
            number: round.number,
            seed: round.seed,
            faults: ids.collect(),
            injected: Vec::new(),
            counters: Vec::new(),
            broken: None,
            accepted: 0,
            events: 0,
            seconds: 0,
        }
    }

    /// Whether every promise was kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.problems().is_empty()
    }

    /// Which were not.
    pub(crate) fn problems(&self) -> Vec<String> {
        let failed = self.injected.iter().filter_map(|one| match &one.result {
            Result::Failed { reason } => Some(format!("{}: {reason}", one.fault)),
            Result::Passed { .. } | Result::Skipped { .. } => None,
        });
        let counted = self.counters.iter().filter(|counter| counter.count > 0);
        let counted = counted.map(|counter| {
            let (id, title, count) = (&counter.id, &counter.title, counter.count);
            format!(
                "{id}, {title}: {count}\n      {}",
                counter.found.join("\n      ")
            )
        });
        failed.chain(counted).chain(self.broken.clone()).collect()
    }

    /// Adds it to the finished ones.
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

/// The rounds that are finished in a directory.
pub(crate) fn finished(directory: &Path) -> Vec<RoundReport> {
    let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
    // The last line may be torn: then its round was not finished.
    let line = |line| serde_json::from_str(line).ok();
    text.lines().filter_map(line).collect()
}

/// Tables of all rounds of a run.
#[derive(Serialize)]
pub(crate) struct Summary {
    pub(crate) seed: u64,
    pub(crate) controls: Vec<Calibrated>,
    pub(crate) rounds: Vec<RoundReport>,
}

/// A line of the table of faults.
#[derive(Default)]
struct Row {
    injected: usize,
    passed: usize,
    skipped: usize,
    recoveries_ms: Vec<u64>,
}

impl Summary {
    /// Whether every promise was kept in every round, by counters that count.
    pub(crate) fn is_clean(&self) -> bool {
        self.controls.iter().all(Calibrated::is_good)
            && self.rounds.iter().all(RoundReport::is_clean)
    }

    fn rows(&self) -> BTreeMap<&str, Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for one in self.rounds.iter().flat_map(|round| &round.injected) {
            let row = rows.entry(&one.fault).or_default();
            row.injected += 1;
            match &one.result {
                Result::Passed { recovery_ms } => {
                    row.passed += 1;
                    row.recoveries_ms.push(*recovery_ms);
                }
                Result::Skipped { .. } => row.skipped += 1,
                Result::Failed { .. } => {}
            }
        }
        rows
    }

    fn counters(&self) -> BTreeMap<(usize, &str), (&str, usize)> {
        let mut counters = BTreeMap::new();
        for counter in self.rounds.iter().flat_map(|round| &round.counters) {
            // By number, not by letter.
            let key = (counter.id.len(), &*counter.id);
            let (_, count) = counters.entry(key).or_insert((&*counter.title, 0));
            *count += counter.count;
        }
        counters
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles: BTreeMap<_, _> = crate::faults::all()
            .into_iter()
            .map(|fault| (fault.id, fault.title))
            .collect();
        writeln!(
            f,
            "| fault | | injected | passed | skipped | back after: p50 | max |"
        )?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
        for (id, mut row) in self.rows() {
            row.recoveries_ms.sort_unstable();
            let title = titles.get(id).unwrap_or(&"");
            let half = row.recoveries_ms.get(row.recoveries_ms.len() / 2);
            let (half, all) = (seconds(half), seconds(row.recoveries_ms.last()));
            let (injected, passed, skipped) = (row.injected, row.passed, row.skipped);
            writeln!(
                f,
                "| {id} | {title} | {injected} | {passed} | {skipped} | {half} | {all} |"
            )?;
        }
        writeln!(f, "\n| counter | | found |")?;
        writeln!(f, "| --- | --- | ---: |")?;
        for ((_, id), (title, count)) in self.counters() {
            writeln!(f, "| {id} | {title} | {count} |")?;
        }
        if !self.controls.is_empty() {
            writeln!(f, "\n| control | | seen by | |")?;
            writeln!(f, "| --- | --- | --- | ---: |")?;
        }
        for control in &self.controls {
            let (id, title, counter) = (&control.id, &control.title, &control.counter);
            let found = match control.skipped {
                Some(_) => "skipped".to_owned(),
                None => control.found.to_string(),
            };
            writeln!(f, "| {id} | {title} | {counter} | {found} |")?;
        }
        let accepted: u64 = self.rounds.iter().map(|round| round.accepted).sum();
        let events: usize = self.rounds.iter().map(|round| round.events).sum();
        let spent: u64 = self.rounds.iter().map(|round| round.seconds).sum();
        let rounds = self.rounds.len();
        write!(
            f,
            "\n{rounds} rounds in {spent} s: {accepted} commands accepted, {events} events, seed {}",
            self.seed
        )
    }
}

fn seconds(ms: Option<&u64>) -> String {
    ms.map_or_else(
        || "–".to_owned(),
        |ms| format!("{}.{:01} s", ms / 1000, ms % 1000 / 100),
    )
}
