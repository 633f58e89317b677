//! What alerts watch is measured when it happens, and no longer when it is over.

mod commands;
mod lag;
mod mails;
mod queries;
mod read_models;
mod relay;
mod standstill;
mod texts;

use std::fs;

use tidemark_tests::repository;

use crate::architecture::source::rust_files;
use crate::observability::{metrics_in, read};

/// An alert whose metric never changes is never raised, and nobody notices.
#[test]
fn every_metric_that_an_alert_watches_is_seen_to_change() {
    let scenarios = rust_files(&repository().join("tests/scenarios/alerts"));
    let scenarios = scenarios
        .iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let scenarios: String = scenarios.collect();
    let rules = read("rules.yml");
    let unseen: Vec<_> = metrics_in(&rules)
        .into_iter()
        .filter(|name| !scenarios.contains(&format!("\"{name}")))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
