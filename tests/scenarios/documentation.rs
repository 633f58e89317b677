//! The documents name files, tests and settings of this repository. What they name must exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tidemark_events::{Aggregate, Visibility};
use tidemark_tests::repository;

/// The README and every document, each with its text.
fn texts() -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(repository().join("docs")).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    paths
        .chain([repository().join("README.md")])
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// What stands in single backticks in a text, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_link_leads_to_a_file() {
    for (path, text) in texts() {
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let file = path.parent().unwrap().join(target);
            assert!(file.exists(), "{}: no file {target}", path.display());
        }
    }
}

/// Whether a quotation is the path of a file, written from the root of the repository.
fn is_path(quote: &str) -> bool {
    let Some((folder, _)) = quote.split_once('/') else {
        return false;
    };
    let has_ending = [".rs", ".sql", ".toml", ".lua", ".yml", ".conf"]
        .iter()
        .any(|end| quote.ends_with(end));
    has_ending && !quote.contains(['<', '*']) && repository().join(folder).is_dir()
}

#[test]
fn every_file_that_is_named_exists() {
    for (path, text) in texts() {
        for quote in quoted(&text).into_iter().filter(|quote| is_path(quote)) {
            assert!(
                repository().join(quote).exists(),
                "{}: no file {quote}",
                path.display()
            );
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    for (path, text) in texts() {
        for quote in quoted(&text) {
            let Some((file, name)) = quote.split_once(".rs::") else {
                continue;
            };
            let source = fs::read_to_string(repository().join(format!("{file}.rs")));
            let source = source.unwrap_or_else(|_| panic!("{}: no file {file}.rs", path.display()));
            let is_test = source.contains(&format!("fn {name}("));
            assert!(is_test, "{}: no test {quote}", path.display());
        }
    }
}

/// The numbers with which lines begin that have this form, such as `| 3 | …` or `3. …`.
fn numbers(lines: &str, before: &str, after: &str) -> Vec<usize> {
    let number = |line: &str| {
        let (number, _) = line.strip_prefix(before)?.split_once(after)?;
        number.parse().ok()
    };
    lines.lines().filter_map(number).collect()
}

#[test]
fn every_numbered_row_has_its_tests_below_the_table() {
    for (path, text) in texts() {
        for section in text.split("\n### ") {
            if !section.contains("| | what is sent |") {
                continue;
            }
            let rows = numbers(section, "| ", " | ");
            let heading = section.lines().next().unwrap_or_default();
            let expected: Vec<_> = (1..=rows.len()).collect();
            assert_eq!(rows, expected, "{}: rows of {heading}", path.display());
            let (_, tests) = section.split_once("The tests of these rows:").unwrap();
            let tests = numbers(tests, "", ". ");
            assert_eq!(tests, expected, "{}: tests of {heading}", path.display());
        }
    }
}

/// Every setting as `section.key`, and every section as `section.`.
fn settings() -> BTreeSet<String> {
    let defaults = fs::read_to_string(repository().join("platform/src/default.toml")).unwrap();
    let mut section = String::new();
    let mut settings = BTreeSet::new();
    for line in defaults.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
            settings.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ") {
            settings.insert(format!("{section}{key}"));
        }
    }
    settings
}

#[test]
fn every_setting_that_is_named_has_a_default() {
    let settings = settings();
    for (path, text) in texts() {
        for quote in quoted(&text) {
            let Some(variable) = quote.strip_prefix("TIDEMARK_") else {
                continue;
            };
            let name = variable
                .split('=')
                .next()
                .unwrap()
                .to_lowercase()
                .replace("__", ".");
            // A section whose keys are names, such as those of read models, lists none of them.
            let section = name.rsplit_once('.').map_or("", |(section, _)| section);
            let is_known = settings.contains(&name)
                || (section.contains('.') && settings.contains(&format!("{section}.")))
                || ["config", "<section>.<key>"].contains(&name.as_str())
                || name.starts_with("dev_")
                || name.starts_with("test_");
            assert!(is_known, "{}: no setting {quote}", path.display());
        }
    }
}

/// Operators give consumers the right to read the topics that this table grants to them.
#[test]
fn consumers_are_told_of_every_topic_whether_they_may_read_it() {
    let contract = fs::read_to_string(repository().join("docs/consumers.md")).unwrap();
    let rows = contract.lines().filter(|it| it.starts_with("| `tidemark."));
    let rows: Vec<_> = rows.collect();
    for aggregate in Aggregate::ALL {
        let topic = format!("`{}`", aggregate.topic("tidemark"));
        let [row] = rows
            .iter()
            .filter(|row| row.contains(&topic))
            .collect::<Vec<_>>()[..]
        else {
            panic!("{topic} is not in one row");
        };
        let is_granted = row.ends_with("| consumers |");
        assert_eq!(
            is_granted,
            aggregate.visibility() == Visibility::Public,
            "{topic}"
        );
    }
}
