//! The tables at the end of a run: all faults, invariants and controls.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Display;

use serde::Serialize;

use super::{ControlReport, ControlResult, InjectionResult, RoundReport};
use crate::faults;
use crate::invariants;

/// What came of a run.
#[derive(Serialize)]
pub(crate) struct Summary {
    pub(crate) seed: u64,
    pub(crate) controls: Vec<ControlReport>,
    pub(crate) rounds: Vec<RoundReport>,
}

/// All injections of a fault.
#[derive(Default)]
struct FaultRow {
    injected: usize,
    passed: usize,
    skipped: usize,
    recoveries_ms: Vec<u64>,
}

impl Summary {
    /// Whether everything held in every round, and every mistake was seen.
    pub(crate) fn is_good(&self) -> bool {
        self.controls.iter().all(ControlReport::is_good)
            && self.rounds.iter().all(RoundReport::is_good)
    }

    fn fault_rows(&self) -> BTreeMap<&str, FaultRow> {
        let mut rows: BTreeMap<&str, FaultRow> = BTreeMap::new();
        for one in self.rounds.iter().flat_map(|round| &round.injections) {
            let row = rows.entry(&one.fault).or_default();
            row.injected += 1;
            match &one.result {
                InjectionResult::Passed { recovery_ms } => {
                    row.passed += 1;
                    row.recoveries_ms.push(*recovery_ms);
                }
                InjectionResult::Skipped { .. } => row.skipped += 1,
                InjectionResult::Failed { .. } => {}
            }
        }
        rows
    }

    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| fault | what is done | injected | passed | skipped | back after: median | longest |"
        )?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
        let mut rows = self.fault_rows();
        for fault in faults::all() {
            let Some(mut row) = rows.remove(fault.name) else {
                continue;
            };
            row.recoveries_ms.sort_unstable();
            let median = seconds(row.recoveries_ms.get(row.recoveries_ms.len() / 2));
            let longest = seconds(row.recoveries_ms.last());
            let (name, description) = (fault.name, fault.description);
            let (injected, passed, skipped) = (row.injected, row.passed, row.skipped);
            writeln!(
                f,
                "| {name} | {description} | {injected} | {passed} | {skipped} | {median} | {longest} |"
            )?;
        }
        Ok(())
    }

    fn write_invariants(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| invariant | violated if | violations |")?;
        writeln!(f, "| --- | --- | ---: |")?;
        for invariant in invariants::ALL {
            let reports = self.rounds.iter().flat_map(|round| &round.invariants);
            let reports = reports.filter(|report| report.name == invariant.name);
            let count: usize = reports.map(|report| report.count).sum();
            let (name, violation) = (invariant.name, invariant.violation);
            writeln!(f, "| {name} | {violation} | {count} |")?;
        }
        Ok(())
    }

    fn write_controls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.controls.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n| control | mistake | must be seen by | violations seen |"
        )?;
        writeln!(f, "| --- | --- | --- | ---: |")?;
        for control in &self.controls {
            let (name, mistake, invariant) = (&control.name, &control.mistake, &control.invariant);
            let result = match control.result {
                ControlResult::Seen { violations } => violations.to_string(),
                ControlResult::NotSeen => "0".to_owned(),
                ControlResult::Skipped { .. } => "skipped".to_owned(),
                ControlResult::Broken { .. } => "broken".to_owned(),
            };
            writeln!(f, "| {name} | {mistake} | {invariant} | {result} |")?;
        }
        Ok(())
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_faults(f)?;
        self.write_invariants(f)?;
        self.write_controls(f)?;
        let accepted: u64 = self.rounds.iter().map(|round| round.accepted).sum();
        let events: usize = self.rounds.iter().map(|round| round.events).sum();
        let spent: u64 = self.rounds.iter().map(|round| round.seconds).sum();
        let (rounds, seed) = (self.rounds.len(), self.seed);
        write!(
            f,
            "\n{rounds} rounds in {spent} s: {accepted} commands accepted, {events} events, seed {seed}"
        )
    }
}

fn seconds(ms: Option<&u64>) -> String {
    ms.map_or_else(
        || "–".to_owned(),
        |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    )
}
