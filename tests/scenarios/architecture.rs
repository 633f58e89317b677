//! Crates depend only on those that the architecture allows, and `events` and `domain` do no I/O.
//! `modules` looks inside the crates.

mod modules;
pub(crate) mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use source::rust_files;
use tidemark_tests::repository;

/// The crates, each with the others that it may use.
const CRATES: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("domain", &["events"]),
    ("event-store", &["events"]),
    ("read-models", &["events"]),
    ("platform", &[]),
    (
        "command-api",
        &["domain", "events", "event-store", "platform"],
    ),
    (
        "projector",
        &["domain", "events", "event-store", "read-models", "platform"],
    ),
    (
        "query-api",
        &["events", "event-store", "read-models", "platform"],
    ),
];

/// Libraries that do I/O, read the clock or draw random numbers.
const IMPURE: &[&str] = &[
    "tokio", "sqlx", "redis", "rdkafka", "reqwest", "axum", "hyper", "rand",
];

/// The names in the section `[dependencies]` of a crate's manifest.
fn dependencies(crate_name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(repository().join(crate_name).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let names = section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn crates_use_only_what_they_may() {
    for (name, allowed) in CRATES {
        let ours = dependencies(name);
        let ours = ours
            .iter()
            .filter_map(|dependency| dependency.strip_prefix("tidemark-"));
        let beyond: Vec<_> = ours
            .filter(|dependency| !allowed.contains(dependency))
            .collect();
        assert!(beyond.is_empty(), "{name} must not depend on {beyond:?}");
    }
}

#[test]
fn events_and_decisions_do_no_io() {
    for name in ["events", "domain"] {
        let impure = dependencies(name)
            .into_iter()
            .filter(|d| IMPURE.contains(&d.as_str()));
        assert_eq!(
            impure.collect::<Vec<_>>(),
            Vec::<String>::new(),
            "{name} is pure"
        );
    }
}

/// A transaction that is begun on a pool stays open, on a connection that is lent again, if the future that
/// begins it is dropped. `platform::database::pool` relies on there being none.
#[test]
fn nobody_begins_a_transaction_on_a_pool() {
    let files = CRATES
        .iter()
        .flat_map(|(name, _)| rust_files(&repository().join(name).join("src")));
    let files = files.filter(|file| !file.components().any(|part| part.as_os_str() == "tests"));
    for file in files {
        let code = fs::read_to_string(&file).unwrap();
        let begins = code.contains("pool.begin") || code.contains("pool().begin");
        assert!(!begins, "{}", file.display());
    }
}

/// Names that begin a metric's, as the code of the crates has them between quotes.
fn metric_names() -> BTreeSet<String> {
    let files = CRATES
        .iter()
        .flat_map(|(name, _)| rust_files(&repository().join(name).join("src")));
    // Tests name databases so.
    let files = files.filter(|file| !file.components().any(|part| part.as_os_str() == "tests"));
    let files = files.filter(|file| !file.ends_with("tests.rs") && !file.ends_with("testing.rs"));
    let texts = files.map(|file| fs::read_to_string(file).unwrap());
    let is_name = |text: &str| {
        let name = text.strip_prefix("tidemark_");
        name.is_some_and(|name| name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()))
    };
    texts
        .flat_map(|text| {
            let quoted = text.split('"').filter(|quoted| is_name(quoted));
            quoted.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// The names of the list of metrics, each with what it means.
fn described_metrics() -> BTreeMap<String, String> {
    let list = repository().join("platform/src/telemetry/metrics.txt");
    let list = fs::read_to_string(list).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| !words.is_empty())
        .map(|words| (words[1].to_owned(), words[2..].join(" ")))
        .collect()
}

#[test]
fn every_metric_is_in_the_list_that_describes_it() {
    let described = described_metrics();
    let named = metric_names();
    for name in &named {
        let is_described = described
            .keys()
            .any(|found| found.starts_with(name.as_str()));
        assert!(is_described, "{name} is not described");
    }
    for name in described.keys() {
        let is_named = named.iter().any(|found| name.starts_with(found.as_str()));
        assert!(is_named, "no code names {name}");
    }
}

/// What metrics are measured in: units, and kinds of things that they count.
const UNITS: [&str; 17] = [
    "actions",
    "assignments",
    "bytes",
    "commands",
    "connections",
    "destinations",
    "epoch",
    "events",
    "generations",
    "lists",
    "passwords",
    "position",
    "rows",
    "schedules",
    "seconds",
    "shards",
    "uploads",
];

#[test]
fn every_metric_is_named_for_its_unit() {
    for (name, meaning) in described_metrics() {
        let what = name.strip_suffix("_max").unwrap_or(&name);
        let (_, ending) = what.rsplit_once('_').unwrap();
        let is_one_or_nothing = meaning.starts_with("1 if ") || meaning.starts_with("1 while ");
        let is_named = UNITS.contains(&ending) || ["total", "info"].contains(&ending);
        assert!(is_named || is_one_or_nothing, "{name} names no unit");
    }
}
