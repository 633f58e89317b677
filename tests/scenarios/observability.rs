//! Alerts and the dashboard name metrics and sections of the documents that exist, and `promtool` finds no fault.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tidemark_tests::{App, Client, repository};

fn folder() -> PathBuf {
    repository().join("deploy/observability")
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// What promtool complains of. Without promtool, which only CI must have, it complains of nothing; `./dev test` says so.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> String {
    let promtool = Command::new("promtool")
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        assert!(
            std::env::var_os("CI").is_none(),
            "promtool is not installed"
        );
        return String::new();
    };
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    if output.status.success() {
        return String::new();
    }
    [output.stdout, output.stderr].concat().try_into().unwrap()
}

/// The metrics that a text names, as they are measured.
pub(crate) fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_of_name = |c: char| c == '_' || c.is_ascii_lowercase();
    let words = text.split(|c| !is_of_name(c));
    let names = words.filter(|word| word.starts_with("tidemark_"));
    let measured = |name| {
        let suffixes = ["_bucket", "_count", "_sum"];
        let suffix = suffixes.iter().find_map(|it| str::strip_suffix(name, it));
        suffix.unwrap_or(name)
    };
    names.map(measured).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist() {
    let list = repository().join("platform/src/telemetry/metrics.txt");
    let list = fs::read_to_string(list).unwrap();
    let described: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    for file in ["rules.yml", "rules.test.yml", "grafana/tidemark.json"] {
        let text = read(file);
        let named = metrics_in(&text);
        assert!(!named.is_empty(), "{file}");
        let unknown: Vec<_> = named.difference(&described).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn every_panel_of_the_dashboard_asks_for_something() {
    let dashboard: Value = serde_json::from_str(&read("grafana/tidemark.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let asks = panel["targets"].as_array().is_some_and(|it| !it.is_empty());
        assert!(asks || panel["type"] == "row", "{panel}");
    }
}

/// The anchor of a heading, as it is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' => Some(c),
        _ if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_alert_has_a_section_that_says_what_to_do() {
    let document = fs::read_to_string(repository().join("docs/operating.md")).unwrap();
    let headings = document.lines().filter(|line| line.starts_with('#'));
    let anchors: BTreeSet<String> = headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    let rules = read("rules.yml");
    let of = |key: &'static str| {
        let lines = rules.lines().map(str::trim);
        lines.filter_map(move |line| line.strip_prefix(key))
    };
    let sections: Vec<&str> = of("runbook: docs/operating.md#").collect();
    assert_eq!(sections.len(), of("- alert: ").count());
    for section in sections {
        assert!(anchors.contains(section), "no section {section}");
    }
}

#[test]
fn every_alert_has_a_test_that_raises_it() {
    let (rules, tests) = (read("rules.yml"), read("rules.test.yml"));
    let alerts = rules
        .lines()
        .filter_map(|it| it.trim().strip_prefix("- alert: "));
    let mut raised = BTreeSet::new();
    for test in tests.split("- alertname: ").skip(1) {
        let (name, expected) = test.split_once('\n').unwrap();
        if expected.contains("exp_alerts:") {
            raised.insert(name);
        }
    }
    let never: Vec<_> = alerts.filter(|it| !raised.contains(it)).collect();
    assert_eq!(never, Vec::<&str>::new());
}

#[test]
fn promtool_finds_no_fault_in_the_alerts() {
    assert_eq!(promtool(&["check", "config", "prometheus.yml"], ""), "");
    assert_eq!(promtool(&["test", "rules", "rules.test.yml"], ""), "");
}

#[tokio::test]
async fn counters_that_alerts_watch_are_there_from_the_start() {
    let app = App::start().await;
    let client = Client::anonymous(app.command_url(), app.command_url());
    let metrics = client.get("/metrics").await.ok().text;
    let rules = read("rules.yml");
    for watched in rules.split("increase(").skip(1) {
        let (name, _) = watched.split_once('[').unwrap();
        assert!(metrics.contains(&format!("\n{name} ")), "{name}");
    }
}
