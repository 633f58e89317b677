//! Which modules of a crate may use which, and how they import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use tidemark_tests::repository;

use super::CRATES;
use super::source::{CodePath, Crate, rust_files};

/// The contexts, each with the others that it may use. Machinery, and lists such as `registry.rs`,
/// stand outside of all contexts and may use every one.
const CONTEXTS: &[(&str, &[&str])] = &[
    ("identity", &[]),
    // What is for sale shows pictures, and a decision that shows one must know that it is there.
    ("market", &["identity", "media"]),
    ("media", &["identity"]),
    // An auditor is a user, and may ask for the state of an auction as of a version or a moment.
    ("audit", &["identity", "market"]),
    // People are told of what happens in auctions, and of tasks that were paused.
    ("messaging", &["identity", "market", "tasks"]),
    ("operations", &["identity"]),
    ("tasks", &["identity"]),
];

/// The context whose folder a path leads into, if any.
fn context(path: &[String]) -> Option<&'static str> {
    let names = CONTEXTS.iter().map(|(name, _)| *name);
    path.iter()
        .find_map(|segment| names.clone().find(|name| name == segment))
}

/// The name of a context in the diagram, where its first mention says in brackets what it holds.
fn named(mention: &str) -> String {
    let name = mention.split('[').next().unwrap();
    name.trim().to_owned()
}

#[test]
fn the_diagram_of_contexts_shows_the_arrows_that_there_may_be() {
    let text = fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    let diagrams = text.split("```mermaid").skip(1);
    let diagrams = diagrams.map(|it| it.split("```").next().unwrap());
    let mut diagrams = diagrams.filter(|it| it.contains("<b>market</b>"));
    let arrows = diagrams.next().unwrap().lines();
    let arrows = arrows.filter_map(|line| line.split_once("-->"));
    let shown: BTreeSet<_> = arrows
        .flat_map(|(from, to)| to.split('&').map(move |to| (named(from), named(to))))
        .collect();
    let may = CONTEXTS.iter();
    let may = may.flat_map(|(from, to)| to.iter().map(|to| (from.to_string(), to.to_string())));
    assert_eq!(shown, may.collect());
}

#[test]
fn contexts_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for (name, _) in CRATES {
        let the_crate = Crate::read(name);
        for (module, contents) in &the_crate.modules {
            let Some(own) = context(module) else { continue };
            let (_, allowed) = CONTEXTS.iter().find(|(name, _)| *name == own).unwrap();
            for path in &contents.paths {
                let used = match the_crate.resolve(module, path) {
                    Some((module, _)) => context(&module),
                    None if path[0].starts_with("tidemark_") => context(path),
                    None => None,
                };
                if used.is_some_and(|used| used != own && !allowed.contains(&used)) {
                    wrong.push(format!(
                        "{name}: {} uses {}",
                        module.join("::"),
                        path.join("::")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// For each module the others that it uses, without those that it contains or is contained in.
fn uses(the_crate: &Crate) -> BTreeMap<&CodePath, BTreeSet<CodePath>> {
    let used = |module: &CodePath, paths: &[CodePath]| {
        let used = paths
            .iter()
            .filter_map(|path| the_crate.resolve(module, path));
        used.map(|(used, _)| used)
            .filter(|used| !used.starts_with(module) && !module.starts_with(used))
            .collect()
    };
    let modules = the_crate.modules.iter();
    modules
        .map(|(module, contents)| (module, used(module, &contents.paths)))
        .collect()
}

/// Whether a chain of uses leads from one module to another.
fn leads_to(
    uses: &BTreeMap<&CodePath, BTreeSet<CodePath>>,
    from: &CodePath,
    to: &CodePath,
) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        if module == to {
            return true;
        }
        open.extend(uses[module].iter().filter(|used| seen.insert(used)));
    }
    false
}

#[test]
fn uses_are_followed_through_exports() {
    let domain = Crate::read("domain");
    let bid = ["market", "auction", "bid"].map(str::to_owned).to_vec();
    let used: BTreeSet<_> = uses(&domain)[&bid]
        .iter()
        .map(|used| used.join("::"))
        .collect();
    // It writes `crate::identity::access`, `crate::View` and `super::Error`.
    for module in [
        "identity::access",
        "decision::view",
        "market::auction::error",
    ] {
        assert!(used.contains(module), "{used:?}");
    }
}

#[test]
fn modules_form_no_circle() {
    let mut wrong = Vec::new();
    for (name, _) in CRATES {
        let the_crate = Crate::read(name);
        let uses = uses(&the_crate);
        for (module, used) in &uses {
            let circular = used.iter().filter(|used| leads_to(&uses, used, module));
            wrong.extend(
                circular
                    .map(|used| format!("{name}: {} uses {}", module.join("::"), used.join("::"))),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a line of the code imports through braces within braces.
fn has_nested_import(code: &str) -> bool {
    let code = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let is_import = |start: &str| {
        let before = start.rsplit('\n').next().unwrap_or_default().trim();
        let is_visibility = before == "pub" || before.starts_with("pub(") && before.ends_with(')');
        before.is_empty() || is_visibility
    };
    code.match_indices("use ")
        .filter(|(at, _)| is_import(&code[..*at]))
        .filter_map(|(at, _)| code[at..].split(';').next())
        .any(|import| import.matches('{').count() > 1)
}

#[test]
fn imports_have_no_braces_within_braces() {
    assert!(has_nested_import(
        "pub use a::{\n    b::{C, D},\n    E,\n};"
    ));
    assert!(!has_nested_import("use a::b::{C, D};\nuse a::E;"));
    let crates = CRATES.iter().map(|(name, _)| *name).chain(["tests"]);
    let files = crates.flat_map(|name| rust_files(&repository().join(name)));
    let nested = files.filter(|file| has_nested_import(&fs::read_to_string(file).unwrap()));
    assert_eq!(nested.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}
