//! Series of what comes and goes. The recorder forgets none, so `/metrics` would for ever show the last value of what
//! is gone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, Label, counter, gauge};

/// How often each series is held, as `/metrics` writes it. One that is held no more is left out.
static HELD: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// The series of something that comes and goes, such as a worker, told apart by its labels. `/metrics` shows them until
/// this is dropped, and then only if there is another one with the same labels.
#[derive(Debug)]
pub struct Series {
    labels: Vec<Label>,
    held: Vec<String>,
}

impl Series {
    /// No series yet, of something with these labels.
    #[must_use]
    pub const fn new(labels: Vec<Label>) -> Self {
        Self {
            labels,
            held: Vec::new(),
        }
    }

    /// Shows a gauge. It begins at 0, also if it was shown before and then no more.
    pub fn gauge(&mut self, name: &str) -> Gauge {
        let gauge = gauge!(name.to_owned(), self.labels.clone());
        let begin = || gauge.set(0.0);
        self.hold(name, begin);
        gauge
    }

    /// Shows a counter. It never goes back.
    pub fn counter(&mut self, name: &str) -> Counter {
        let counter = counter!(name.to_owned(), self.labels.clone());
        self.hold(name, || ());
        counter
    }

    fn hold(&mut self, name: &str, begin: impl FnOnce()) {
        let labels = self.labels.iter();
        let labels: Vec<_> = labels
            .map(|label| format!("{}=\"{}\"", label.key(), label.value()))
            .collect();
        let series = format!("{name}{{{}}}", labels.join(","));
        let mut held = lock();
        let count = held.entry(series.clone()).or_default();
        if *count == 0 {
            begin();
        }
        *count += 1;
        self.held.push(series);
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        let mut held = lock();
        for series in &self.held {
            if let Some(count) = held.get_mut(series) {
                *count -= 1;
            }
        }
    }
}

/// The text of all metrics without the series of what is gone.
pub(super) fn without_gone(text: &str) -> String {
    let held = lock();
    let is_gone = |line: &&str| {
        let series = line.rsplit_once(' ').map(|(series, _)| series);
        series.is_some_and(|series| held.get(series) == Some(&0))
    };
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !is_gone(line)).collect()
}

fn lock() -> MutexGuard<'static, BTreeMap<String, usize>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        let labels = [("read_model", "test"), ("shard", "0")];
        Series::new(labels.map(|(key, value)| Label::new(key, value)).to_vec())
    }

    #[test]
    fn a_series_is_shown_as_long_as_anything_holds_it() {
        let line = "test_position{read_model=\"test\",shard=\"0\"} 5\n";
        let other = "# HELP test_position of a test\ntest_position 5\n";
        let text = [line, other].concat();
        assert_eq!(without_gone(&text), text);
        let (mut one, mut next) = (series(), series());
        let _ = one.gauge("test_position");
        let _ = next.gauge("test_position");
        drop(one);
        assert_eq!(without_gone(&text), text);
        drop(next);
        assert_eq!(without_gone(&text), other);
        let _ = series().counter("test_events_total");
        let mut again = series();
        let _ = again.gauge("test_position");
        assert_eq!(without_gone(&text), text);
    }
}
