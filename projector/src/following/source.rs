//! Where a subscriber gets its next events: from the ring, or from the log if they have left the ring.
//! The next pages of the log are read while the subscriber applies the last one.

use std::sync::Arc;

use metrics::counter;
use tidemark_event_store::{FollowError, Log, PageLimits};
use tidemark_events::LogPoint;
use tidemark_platform::Config;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::blocked::Blocked;
use super::build_turns::BuildTurns;
use super::log_pages::{LogPages, PageReader, Types};
use super::page::Page;
use super::ring::Ring;

/// Pages of the log that are read before the subscriber asks for them.
const PAGES_AHEAD: usize = 2;

/// The log from any position on, for many subscribers at once, none of which delays another.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    ring: Arc<Ring>,
    pub(super) pages: Arc<LogPages>,
    build_turns: Arc<BuildTurns>,
    /// Where a subscriber that cannot go on says so.
    pub(super) blocked: Blocked,
}

/// Reads the log for one subscriber.
pub(crate) struct Reader {
    source: Source,
    wanted: Types,
    page_max: PageLimits,
    /// The most events in a page, if less than `page_max` allows.
    limit: i64,
    /// What was cut off the last page.
    rest: Option<Page>,
    read_ahead: Option<ReadAhead>,
    /// How often the ring had been discarded when this reader started.
    discarded: u64,
    /// Whether it has said since then that the log has nothing more.
    has_reached_end: bool,
}

/// A task that reads pages of the log, up to its head, before they are asked for.
struct ReadAhead {
    pages: mpsc::Receiver<Result<Page, FollowError>>,
    _task: AbortOnDropHandle<()>,
}

impl Source {
    /// Subscribers that take what is new from this ring.
    pub(crate) fn new(ring: Arc<Ring>, log: Log, blocked: Blocked, config: &Config) -> Self {
        Self {
            pages: Arc::new(LogPages::new(log, config.projection.pages_bytes_max)),
            build_turns: Arc::new(BuildTurns::new(&config.rebuild, Arc::clone(&ring))),
            ring,
            blocked,
        }
    }

    /// A reader for a subscriber that wants events of these types, or all, in pages of at most `page_max`.
    pub(crate) fn reader(self, wanted: Option<Vec<&'static str>>, page_max: PageLimits) -> Reader {
        Reader {
            discarded: self.ring.discarded(),
            source: self,
            wanted: wanted.map(Arc::from),
            page_max,
            limit: i64::MAX,
            rest: None,
            read_ahead: None,
            has_reached_end: false,
        }
    }
}

impl Reader {
    /// Discards the pages that were read ahead, so that reading may continue at any point.
    pub(crate) fn restart(&mut self) {
        self.rest = None;
        self.read_ahead = None;
        self.discarded = self.source.ring.discarded();
        self.has_reached_end = false;
    }

    /// Gives pages of at most so many events from now on, or as large as they may be.
    pub(crate) fn limit(&mut self, events: Option<u32>) {
        self.limit = events.map_or(i64::MAX, i64::from);
        self.read_ahead = None;
    }

    /// Takes back what was cut off the last page.
    pub(crate) fn put_back(&mut self, rest: Option<Page>) {
        self.rest = rest;
    }

    /// The turns of what this process builds.
    pub(crate) fn build_turns(&self) -> Arc<BuildTurns> {
        Arc::clone(&self.source.build_turns)
    }

    /// The last position that the feed of this process gave.
    pub(crate) fn head(&self) -> i64 {
        self.source.ring.head()
    }

    /// The page after a point, which must be where the last page ended. Waits while the log has no events after it, but for
    /// the first time, when it returns none: who could not read the log knows by that, too, that it can again.
    /// Cancelling the call loses nothing.
    ///
    /// # Errors
    /// If the log was not read, or is not the one that it was since this reader started.
    pub(crate) async fn next(&mut self, after: LogPoint) -> Result<Option<Page>, FollowError> {
        let page_max = PageLimits {
            events: self.page_max.events.min(self.limit).max(1),
            ..self.page_max
        };
        loop {
            if self.source.ring.discarded() > self.discarded {
                return Err(FollowError::OtherLog(after.position));
            }
            if let Some(rest) = self.rest.take() {
                return Ok(Some(rest));
            }
            if let Some(page) = self.source.ring.after(after, page_max) {
                self.read_ahead = None;
                if page.to != after {
                    return Ok(Some(page));
                }
            } else {
                let read_ahead = self.read_ahead.get_or_insert_with(|| {
                    let pages = Arc::clone(&self.source.pages);
                    ReadAhead::start(pages.reader(self.wanted.clone()), after, page_max)
                });
                if let Some(page) = read_ahead.pages.recv().await {
                    let page = page?;
                    counter!("tidemark_ring_missed_events_total")
                        .increment(page.events.len() as u64);
                    return Ok(Some(page));
                }
                // The log was read to its head. What follows comes through the ring, which may not have
                // started yet.
                self.read_ahead = None;
            }
            if !self.has_reached_end {
                self.has_reached_end = true;
                return Ok(None);
            }
            let ring = &self.source.ring;
            ring.wait_beyond(after.position, self.discarded).await;
        }
    }
}

impl ReadAhead {
    fn start(reader: PageReader, after: LogPoint, page_max: PageLimits) -> Self {
        let (pages, received) = mpsc::channel(PAGES_AHEAD);
        let reading = async move {
            if let Err(error) = read_to_the_head(&reader, after, page_max, &pages).await {
                // Sending fails only if the subscriber was dropped, which then needs no error either.
                let _ = pages.send(Err(error)).await;
            }
        };
        Self {
            pages: received,
            _task: AbortOnDropHandle::new(tokio::spawn(reading)),
        }
    }
}

/// Reads the wanted events, and perhaps others: positions have no gaps, so a page is known to end at `to` without the
/// events that are not wanted.
async fn read_to_the_head(
    reader: &PageReader,
    mut after: LogPoint,
    page_max: PageLimits,
    pages: &mpsc::Sender<Result<Page, FollowError>>,
) -> Result<(), FollowError> {
    let head = reader.head().await?;
    while after.position < head {
        let events = reader.page(after, head, page_max).await?;
        let to = match events.last() {
            Some(last) => last.point(),
            None => return Err(FollowError::OtherLog(head)),
        };
        let page = Page {
            events,
            to,
            has_more: to.position < head,
            is_to_be_written: false,
        };
        if pages.send(Ok(page)).await.is_err() {
            break;
        }
        after = to;
    }
    Ok(())
}
