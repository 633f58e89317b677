//! Signals, and whom they reach.

use std::fs;
use std::process::{Command, Stdio};

/// A signal, by the name that `kill` knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// At once (`kill -9`).
    Kill,
    /// Asks it to end.
    Terminate,
    /// Asks Postgres to end without waiting for its clients.
    Interrupt,
    /// Pauses it.
    Stop,
    /// Ends a pause.
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
    // The shell's own: there is one on every machine. Some may have gone meanwhile.
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s "$0" "$@""#, name])
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
}

/// The children of a process, and theirs.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // After the name, which may hold anything: the state, then the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
            Some((pid, parent.parse().ok()?))
        })
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        family.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    family.split_off(1)
}
