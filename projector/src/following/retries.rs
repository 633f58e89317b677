//! How a subscriber that fails tries again: after pauses that grow until it goes on. And when it has failed for so long that
//! operators are to know.

use std::time::{Duration, Instant};

use tidemark_event_store::Backoff;
use tidemark_platform::config::Projection;

/// What a subscriber does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It reads its checkpoint.
    Start,
    /// It looks after what waits.
    Check,
    /// It reads the log and applies it.
    Apply,
}

/// The retries of one subscriber.
#[derive(Debug)]
pub(super) struct Retries {
    pause: Backoff,
    shown_after: Duration,
    step: Step,
    /// Since when it fails, and at what it failed last.
    failing: Option<(Instant, Step)>,
}

impl Retries {
    /// Those of a subscriber that has not failed.
    pub(super) fn new(settings: &Projection) -> Self {
        let [min, max] = [settings.retry_ms, settings.retry_max_ms].map(Duration::from_millis);
        Self {
            pause: Backoff::new(min, max),
            shown_after: Duration::from_millis(settings.retries_shown_ms),
            step: Step::Start,
            failing: None,
        }
    }

    /// Notes what it does now.
    pub(super) const fn begin(&mut self, step: Step) {
        self.step = step;
    }

    /// Notes that what it does has succeeded. Returns whether that is what had failed last, so that nothing fails any more.
    pub(super) fn succeeded(&mut self) -> bool {
        let mended = self.failing.take_if(|(_, step)| *step == self.step);
        if mended.is_some() {
            self.pause.reset();
        }
        mended.is_some()
    }

    /// Notes that it has done all that there is to do, but for a check if it `needs_check`. Returns whether nothing fails any more.
    pub(super) fn all_done(&mut self, needs_check: bool) -> bool {
        let is_over = |(_, step): &mut (Instant, Step)| *step != Step::Check || !needs_check;
        if self.failing.take_if(is_over).is_some() {
            self.pause.reset();
        }
        self.failing.is_none()
    }

    /// Notes that what it does has failed. Returns whether it has failed for so long that it does not seem to pass by itself.
    pub(super) fn failed(&mut self) -> bool {
        let since = self.failing.map_or_else(Instant::now, |(since, _)| since);
        self.failing = Some((since, self.step));
        since.elapsed() >= self.shown_after
    }

    /// The pause before it tries again.
    pub(super) fn pause(&mut self) -> Duration {
        self.pause.take()
    }
}

#[cfg(test)]
mod tests {
    use tidemark_platform::Config;

    use super::*;

    #[test]
    fn only_success_in_what_failed_ends_a_failure() {
        let vars = [("TIDEMARK_PROJECTION__RETRIES_SHOWN_MS", "0")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Config::from_vars(vars).unwrap().projection;
        let mut retries = Retries::new(&settings);
        retries.begin(Step::Apply);
        assert!(retries.failed());
        let first = retries.pause();
        assert_eq!(retries.pause(), first * 2);
        retries.begin(Step::Start);
        assert!(!retries.succeeded(), "what it applies fails still");
        retries.begin(Step::Apply);
        assert!(retries.succeeded());
        assert!(!retries.succeeded(), "it did not fail any more");
        assert_eq!(retries.pause(), first);
    }

    #[test]
    fn a_check_that_failed_is_over_once_nothing_is_to_be_checked() {
        let mut retries = Retries::new(&Config::from_vars([]).unwrap().projection);
        retries.begin(Step::Check);
        retries.failed();
        retries.begin(Step::Apply);
        assert!(!retries.all_done(true));
        assert!(retries.all_done(false));
        retries.failed();
        assert!(retries.all_done(true), "there is nothing to apply");
    }
}
