//! Crates depend only on those that the architecture allows, and `events` and `domain` do no I/O.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ARROWS: &[(&str, &[&str])] = &[
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

/// What does I/O, tells the time or draws lots.
const IMPURE: &[&str] = &[
    "tokio", "sqlx", "redis", "rdkafka", "reqwest", "axum", "hyper", "rand",
];

/// The names that the section of a crate's manifest lists.
fn dependencies(crate_name: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = fs::read_to_string(root.join(crate_name).join("Cargo.toml")).unwrap();
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
fn crates_point_only_where_they_may() {
    for (name, allowed) in ARROWS {
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
