//! Signals to processes by their ids.

use std::fs;
use std::process::{Command, Stdio};

/// A signal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// SIGKILL ends a process at once (`kill -9`).
    Kill,
    /// SIGTERM asks a process to end.
    Terminate,
    /// SIGINT asks Postgres to end without waiting for its clients.
    Interrupt,
    /// SIGSTOP pauses a process.
    Stop,
    /// SIGCONT ends a pause.
    Continue,
}

/// Sends a signal to processes.
pub(crate) fn send(signal: Signal, pids: &[u32]) {
    let name = match signal {
        Signal::Kill => "KILL",
        Signal::Terminate => "TERM",
        Signal::Interrupt => "INT",
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
    };
    // The shell's own `kill` exists on every machine. It may fail: some processes may be gone by
    // now.
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s "$0" "$@""#, name])
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
}

/// All processes that a process has started, and those that they have started.
pub(super) fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The process name comes first, in parentheses, and may contain anything. After it come
            // the state and the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
            Some((pid, parent.parse().ok()?))
        })
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}
