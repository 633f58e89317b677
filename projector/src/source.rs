//! Where a subscriber gets its next events: from the ring, or from the log when they have left it. There
//! the next ones are read while it works on the last ones.

use std::sync::Arc;

use metrics::counter;
use tidemark_event_store::Log;
use tidemark_events::Recorded;
use tidemark_read_models::EventFilter;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::ring::Ring;

/// Pages read ahead.
const AHEAD: usize = 2;

/// The log from any position on, for many subscribers at once. None holds up another.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) ring: Arc<Ring>,
    pub(crate) log: Log,
}

/// The next events of the log.
#[derive(Debug)]
pub(crate) struct Page {
    /// Those that are wanted, and perhaps others.
    pub(crate) events: Vec<Arc<Recorded>>,
    /// Up to here there are no others.
    pub(crate) to: i64,
    /// Whether there were more events when these were read.
    pub(crate) is_full: bool,
}

/// One subscriber's way through the log.
pub(crate) struct Reader {
    source: Source,
    wanted: EventFilter,
    page_max: usize,
    ahead: Option<Ahead>,
}

/// Pages of the log up to its head, read ahead.
struct Ahead {
    pages: mpsc::Receiver<sqlx::Result<Page>>,
    _task: AbortOnDropHandle<()>,
}

impl Source {
    /// A way through the log for one that wants these events, at most `page_max` at once.
    pub(crate) const fn reader(self, wanted: EventFilter, page_max: usize) -> Reader {
        Reader {
            source: self,
            wanted,
            page_max,
            ahead: None,
        }
    }
}

impl Reader {
    /// Forgets what was read ahead.
    pub(crate) fn restart(&mut self) {
        self.ahead = None;
    }

    /// The last position that the feed of this process gave.
    pub(crate) fn head(&self) -> i64 {
        self.source.ring.head()
    }

    /// The page after a position, which must be where the last one ended. Waits while there is none.
    /// Cancelling the call loses nothing.
    pub(crate) async fn next(&mut self, after: i64) -> sqlx::Result<Page> {
        loop {
            if let Some(page) = self.source.ring.after(after, self.page_max) {
                self.ahead = None;
                if page.to > after {
                    return Ok(page);
                }
            } else {
                let ahead = self.ahead.get_or_insert_with(|| {
                    Ahead::start(self.source.log.clone(), self.wanted, after, self.page_max)
                });
                if let Some(page) = ahead.pages.recv().await {
                    let page = page?;
                    counter!("tidemark_ring_missed_events_total")
                        .increment(page.events.len() as u64);
                    return Ok(page);
                }
                // At the head: the rest comes through the ring, which may not have started yet.
                self.ahead = None;
            }
            self.source.ring.beyond(after).await;
        }
    }
}

impl Ahead {
    fn start(log: Log, wanted: EventFilter, after: i64, page_max: usize) -> Self {
        let (pages, read) = mpsc::channel(AHEAD);
        let reading = async move {
            if let Err(error) = read_to_the_head(&log, wanted, after, page_max, &pages).await {
                // Fails only if nobody wants it any more.
                let _ = pages.send(Err(error)).await;
            }
        };
        Self {
            pages: read,
            _task: AbortOnDropHandle::new(tokio::spawn(reading)),
        }
    }
}

/// Positions have no gaps, so what is not wanted need not be read to be passed.
async fn read_to_the_head(
    log: &Log,
    wanted: EventFilter,
    mut after: i64,
    page_max: usize,
    pages: &mpsc::Sender<sqlx::Result<Page>>,
) -> sqlx::Result<()> {
    let head = log.head().await?.position;
    let page_max = i64::try_from(page_max).unwrap_or(i64::MAX).max(1);
    while after < head {
        let to = after.saturating_add(page_max).min(head);
        let events = log.between(after, to, wanted.types()).await?;
        let page = Page {
            events: events.into_iter().map(Arc::new).collect(),
            to,
            is_full: to < head,
        };
        if pages.send(Ok(page)).await.is_err() {
            break;
        }
        after = to;
    }
    Ok(())
}
