//! A queue for turns in which whoever is furthest behind in the log is next. Builds that began one shortly after the other come
//! together by that, and read the same part of the log once; in the order of arrival they would stay apart until the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who has let so many turns pass for each that waits is next wherever it is, so that a build near the end of the log goes on
/// beside those that begin.
const PASSED_MAX: u64 = 8;

/// Places of which each turn takes some.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    free: u32,
    waiting: Vec<Waiting>,
    /// How many have begun to wait, and how many turns have begun.
    arrived: u64,
    turns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    number: u64,
    position: i64,
    /// How many turns had begun when it came.
    came_after: u64,
}

/// Someone who waits, until it is dropped.
struct Wait<'a> {
    queue: &'a Arc<Queue>,
    number: u64,
}

/// Places that are taken until it is dropped.
pub(super) struct Taken {
    queue: Arc<Queue>,
    places: u32,
}

impl Queue {
    /// A queue for so many places.
    pub(super) fn new(places: u32) -> Self {
        Self {
            state: Mutex::new(State {
                free: places,
                waiting: Vec::new(),
                arrived: 0,
                turns: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits until so many places are free, and nobody is to be next before one that is at this position.
    pub(super) async fn take(self: &Arc<Self>, position: i64, places: u32) -> Taken {
        let wait = self.wait(position);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.state().take(wait.number, places) {
                return Taken {
                    queue: Arc::clone(self),
                    places,
                };
            }
            changed.await;
        }
    }

    fn wait(self: &Arc<Self>, position: i64) -> Wait<'_> {
        let mut state = self.state();
        state.arrived += 1;
        let waiting = Waiting {
            number: state.arrived,
            position,
            came_after: state.turns,
        };
        state.waiting.push(waiting);
        Wait {
            queue: self,
            number: waiting.number,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes so many places if they are free and this one is next.
    fn take(&mut self, number: u64, places: u32) -> bool {
        let next = self.waiting.iter().min_by_key(|it| self.rank(it));
        let is_next = next.is_some_and(|it| it.number == number);
        if !is_next || self.free < places {
            return false;
        }
        self.free -= places;
        self.turns += 1;
        true
    }

    /// The lowest is next: of those that were passed too often who came first, and of the others who is furthest behind.
    fn rank(&self, waiting: &Waiting) -> (i64, u64) {
        let passed = self.turns - waiting.came_after;
        let is_passed_too_often = passed >= PASSED_MAX * self.waiting.len() as u64;
        let position = if is_passed_too_often {
            i64::MIN
        } else {
            waiting.position
        };
        (position, waiting.number)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.queue
            .state()
            .waiting
            .retain(|it| it.number != self.number);
        self.queue.changed.notify_waiters();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.queue.state().free += self.places;
        self.queue.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
