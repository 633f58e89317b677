//! The modules of a crate and the paths that their code names. Tests inside the crates are left out:
//! they may look at anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tidemark_tests::repository;

/// Every Rust file below a directory.
pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// A path as code names it, such as `crate::market::product::Error`, in segments.
pub(super) type CodePath = Vec<String>;

/// A module: one file.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The paths with at least two segments that its code names.
    pub(super) paths: Vec<CodePath>,
    /// Those of the paths that it exports again by `pub use`.
    exports: Vec<CodePath>,
}

/// A crate of the workspace, without its tests.
#[derive(Debug)]
pub(super) struct Crate {
    /// Each module under its path, which is empty for the root and has no `crate` in front.
    pub(super) modules: BTreeMap<CodePath, Module>,
}

impl Crate {
    pub(super) fn read(name: &str) -> Self {
        let source = repository().join(name).join("src");
        let mut modules = BTreeMap::new();
        let mut tests = Vec::new();
        for file in rust_files(&source) {
            let module = module_path(file.strip_prefix(&source).unwrap());
            let (code, test_modules) = without_tests(&fs::read_to_string(&file).unwrap());
            tests.extend(
                test_modules
                    .into_iter()
                    .map(|test| joined(&module, &[test])),
            );
            modules.insert(module, Module::parse(&code));
        }
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { modules }
    }

    /// The item that a path leads to when code of module `from` names it: the module that defines or
    /// declares it, and the rest of the path. `None` if the path leads out of the crate.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Option<(CodePath, CodePath)> {
        let (first, rest) = path.split_first()?;
        let parent = &from[..from.len().saturating_sub(1)];
        let absolute = match first.as_str() {
            "crate" => rest.to_vec(),
            "self" => joined(from, rest),
            "super" if rest.first().is_some_and(|next| next == "super") => {
                return self.resolve(parent, rest);
            }
            "super" => joined(parent, rest),
            child
                if self
                    .modules
                    .contains_key(&joined(from, &[child.to_owned()])) =>
            {
                joined(from, path)
            }
            _ => return None,
        };
        let module = (0..=absolute.len())
            .rev()
            .map(|length| &absolute[..length])
            .find(|prefix| self.modules.contains_key(*prefix))?;
        let item = &absolute[module.len()..];
        let exported = self.modules[module].exports.iter().find(|export| {
            let is_named = !item.is_empty() && export.last() == item.first();
            is_named && self.resolve(module, export).is_some()
        });
        match exported {
            Some(export) => self.resolve(module, &joined(export, &item[1..])),
            None => Some((module.to_vec(), item.to_vec())),
        }
    }
}

impl Module {
    fn parse(code: &str) -> Self {
        let tokens = tokens(code);
        let mut module = Self::default();
        for (at, token) in tokens.iter().enumerate() {
            let is_start = is_word(token) && (at == 0 || tokens[at - 1] != "::");
            if !is_start || tokens.get(at + 1).is_none_or(|next| next != "::") {
                continue;
            }
            let paths = paths_from(&tokens[at..]);
            let is_use = at >= 2 && tokens[at - 1] == "use";
            if is_use && ["pub", ")"].contains(&tokens[at - 2].as_str()) {
                module.exports.extend(paths.clone());
            }
            module.paths.extend(paths);
        }
        module
    }
}

/// `a::b::{C, D as E}` gives `a::b::C` and `a::b::D`.
fn paths_from(tokens: &[String]) -> Vec<CodePath> {
    let mut path = vec![tokens[0].clone()];
    let mut rest = &tokens[1..];
    while let [separator, next, after @ ..] = rest
        && separator == "::"
    {
        if next == "{" {
            let group = after.iter().take_while(|token| *token != "}");
            let items = group.collect::<Vec<_>>();
            let items = items.split(|token| *token == ",");
            let names = items.filter_map(|item| item.first().map(ToString::to_string));
            return names.map(|name| joined(&path, &[name])).collect();
        }
        if !is_word(next) {
            break;
        }
        path.push(next.clone());
        rest = after;
    }
    vec![path]
}

fn joined(path: &[String], more: &[String]) -> CodePath {
    [path, more].concat()
}

/// `market/auction.rs` is `market::auction`; `lib.rs` and `main.rs` are the root.
fn module_path(file: &Path) -> CodePath {
    let path = file.with_extension("");
    let segments = path
        .iter()
        .map(|segment| segment.to_str().unwrap().to_owned());
    segments
        .filter(|segment| !["lib", "main"].contains(&segment.as_str()))
        .collect()
}

/// The lines that are neither comments nor tests, and the names of the files that are tests.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut test_modules = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        if line != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let item = lines.next().unwrap_or_default();
        if let Some(name) = item
            .strip_suffix(';')
            .and_then(|item| item.split(' ').next_back())
        {
            test_modules.push(name.to_owned());
        } else {
            lines.by_ref().find(|line| *line == "}");
        }
    }
    (code, test_modules)
}

/// Words, `::`, and every other character but spaces.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c| !is_word_character(c)).unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_word(token: &str) -> bool {
    token.chars().all(is_word_character)
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
