//! A circuit breaker: calls to a dependency that fails or is silent are not made for a while, so that a few of them
//! wait for it and all others go on without it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When calls are given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// So many failures in a row open the breaker.
    pub(super) failures: u32,
    /// How long the breaker stays open. Then one call is let through, whose outcome decides.
    pub(super) open: Duration,
    /// How long all calls may be without an answer before no other is made beside them.
    pub(super) silence: Duration,
}

/// Decides which calls are made. Clones share it.
#[derive(Clone)]
pub(super) struct Breaker {
    limits: Limits,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Failures since the last answer.
    failures: u32,
    /// Set while the breaker is open; the time until no call is made.
    open_until: Option<Instant>,
    /// Calls without an answer.
    pending: u32,
    /// Since when there have been such calls and no answer.
    silent_since: Option<Instant>,
}

/// A call that is made. If it is dropped without an outcome, it says nothing of the dependency.
pub(super) struct Call {
    breaker: Breaker,
    is_probe: bool,
}

/// What an outcome has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// No calls are made for a while.
    Opened,
    /// Calls are made again.
    Closed,
}

impl Breaker {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Arc::default(),
        }
    }

    /// A call, unless it must not be made now.
    pub(super) fn call(&self) -> Option<Call> {
        let now = Instant::now();
        let mut state = self.lock();
        let is_admitted = match (state.open_until, state.silent_since) {
            (Some(until), _) => now >= until && state.pending == 0,
            (None, Some(since)) => now.duration_since(since) < self.limits.silence,
            (None, None) => true,
        };
        if !is_admitted {
            return None;
        }
        state.pending += 1;
        state.silent_since.get_or_insert(now);
        Some(Call {
            breaker: self.clone(),
            is_probe: state.open_until.is_some(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Whether it only finds out if the dependency is back, and is likely to fail.
    pub(super) const fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// The dependency has answered.
    pub(super) fn succeeded(self) -> Option<Change> {
        let mut state = self.breaker.lock();
        state.failures = 0;
        state.silent_since = Some(Instant::now());
        state.open_until.take().map(|_| Change::Closed)
    }

    /// The dependency has failed, or has not answered in time.
    pub(super) fn failed(self) -> Option<Change> {
        let limits = self.breaker.limits;
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < limits.failures {
            return None;
        }
        let before = state.open_until.replace(Instant::now() + limits.open);
        before.is_none().then_some(Change::Opened)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.breaker.lock();
        state.pending -= 1;
        if state.pending == 0 {
            state.silent_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LIMITS: Limits = Limits {
        failures: 2,
        open: Duration::from_secs(1),
        silence: Duration::from_millis(50),
    };

    fn call(breaker: &Breaker) -> Call {
        breaker.call().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_one_call_closes_it() {
        let breaker = Breaker::new(LIMITS);
        assert_eq!(call(&breaker).failed(), None);
        assert!(!call(&breaker).is_probe());
        assert_eq!(call(&breaker).succeeded(), None);
        assert_eq!(call(&breaker).failed(), None);
        assert_eq!(call(&breaker).failed(), Some(Change::Opened));
        assert!(breaker.call().is_none());
        advance(LIMITS.open).await;
        let probe = call(&breaker);
        assert!(probe.is_probe());
        assert!(breaker.call().is_none(), "one call is let through");
        assert_eq!(probe.failed(), None);
        assert!(breaker.call().is_none(), "it failed");
        advance(LIMITS.open).await;
        drop(call(&breaker));
        assert_eq!(call(&breaker).succeeded(), Some(Change::Closed));
        let calls = [call(&breaker), call(&breaker)];
        assert!(!calls.iter().any(Call::is_probe));
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_joins_those_that_have_been_silent_for_too_long() {
        let breaker = Breaker::new(LIMITS);
        let (first, second) = (call(&breaker), call(&breaker));
        advance(LIMITS.silence).await;
        assert!(breaker.call().is_none());
        first.succeeded();
        let third = call(&breaker);
        advance(LIMITS.silence).await;
        assert!(breaker.call().is_none());
        drop((second, third));
        call(&breaker).succeeded();
    }
}
