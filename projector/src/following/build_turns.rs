//! Lets the generations that a process builds take turns, and give way to everything else while the log grows: then one of
//! them works at a time, on little at once, and rests after it. It does not bound what is level with the log.

use std::sync::Arc;
use std::time::Duration;

use tidemark_platform::config::Rebuild;
use tokio::time::{Instant, sleep};

use super::page::Page;
use super::ring::Ring;

mod queue;

use queue::{Queue, Taken};

/// The turns of all builds of a process.
#[derive(Debug)]
pub(crate) struct BuildTurns {
    ring: Arc<Ring>,
    /// How many work at once.
    at_once: u32,
    queue: Arc<Queue>,
    /// How long after an event of the feed builds give way.
    gives_way: Duration,
    /// The part of the time in which they work meanwhile, in percent.
    share: u32,
    /// How many events they apply at once meanwhile.
    events_max: usize,
}

/// The turn of one build.
pub(super) struct Turn {
    _taken: Taken,
    began: Instant,
    /// How long it rests, in percent of the time that it worked; `None` if it gives way to nobody.
    rests: Option<u32>,
}

impl BuildTurns {
    /// The turns of builds that give way while this ring is filled.
    pub(crate) fn new(settings: &Rebuild, ring: Arc<Ring>) -> Self {
        Self {
            ring,
            at_once: settings.at_once,
            queue: Arc::new(Queue::new(settings.at_once)),
            gives_way: Duration::from_millis(settings.gives_way_ms),
            share: settings.share_percent,
            events_max: settings.batch_max,
        }
    }

    /// Waits for a turn to apply a page, which begins after this position. If the build must give way, the page is small then, and
    /// what was cut off is returned.
    pub(super) async fn next(&self, after: i64, page: &mut Page) -> (Turn, Option<Page>) {
        let gives_way = self.ring.has_grown_within(self.gives_way);
        let places = if gives_way { self.at_once } else { 1 };
        let turn = Turn {
            _taken: self.queue.take(after, places).await,
            began: Instant::now(),
            rests: gives_way.then(|| 100 * 100 / self.share - 100),
        };
        let rest = gives_way.then(|| page.split_off(self.events_max)).flatten();
        page.is_to_be_written |= gives_way;
        (turn, rest)
    }
}

impl Turn {
    /// Ends the turn, after a rest if others come first.
    pub(super) async fn end(self) {
        if let Some(percent) = self.rests {
            sleep(self.began.elapsed() * percent / 100).await;
        }
    }
}

#[cfg(test)]
mod tests;
