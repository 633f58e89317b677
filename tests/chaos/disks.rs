//! Disks for servers to fail on: one whose power can be cut, and one that can be full. Making them
//! needs root.

mod power_cut;
mod resizable;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use power_cut::{PowerCutDisk, cut_power};
pub(crate) use resizable::ResizableDisk;

/// The directory in which disks are mounted.
const HOME: &str = "/var/tmp";

/// A path for a new disk, named for this process: `<name>-<process id>-<number>`.
fn new_path(name: &str, number: u32) -> PathBuf {
    Path::new(HOME).join(format!("{name}-{}-{number}", std::process::id()))
}

/// The disks that a run left behind when it was killed: those named for a process that is gone.
fn orphans(name: &str) -> Vec<PathBuf> {
    let is_orphan = |path: &PathBuf| {
        let file_name = path.file_name().and_then(|name| name.to_str());
        let rest = file_name.and_then(|file_name| file_name.strip_prefix(name)?.strip_prefix('-'));
        let owner = rest.and_then(|rest| rest.split('-').next());
        owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists())
    };
    let entries = fs::read_dir(HOME).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(is_orphan)
        .collect()
}

/// Runs a command to its end, and returns what it printed, or what it complained about.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {errors}"))
    }
}

/// Runs a command that may fail because there is nothing left to do.
fn try_run(command: &mut Command) {
    let _ = run(command);
}
