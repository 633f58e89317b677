//! What is being measured now: a bar if standard error is a terminal, else a line for each step.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows progress on standard error, so that the table is alone on standard output.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// The progress of this many steps.
    pub(crate) fn new(steps: u64) -> Self {
        let bar = ProgressBar::new(steps);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({elapsed})").unwrap();
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(500));
        let started = Instant::now();
        Self { bar, started }
    }

    /// Begins the next step.
    pub(crate) fn step(&self, what: &'static str) {
        self.bar.inc(1);
        self.bar.set_message(what);
        if !stderr().is_terminal() {
            let (position, steps) = (self.bar.position(), self.bar.length().unwrap_or_default());
            let seconds = self.started.elapsed().as_secs();
            eprintln!("{seconds:4} s  {position:2}/{steps}  {what}");
        }
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
