//! Watches what queries show of the two folds, whichever build answers them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use tidemark_tests::Answer;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::faults::recovery::PROJECTOR_RESUMES;
use crate::stack::Stack;

/// The pause between two queries.
const PAUSE: Duration = Duration::from_millis(50);
/// Until a query is answered that asks for all that is in the log.
const ANSWERED: Duration = PROJECTOR_RESUMES;
/// Why a query may have to be repeated: its query API is being replaced, or it waited in vain for a shard that is being
/// handed over.
const PASSING: [&str; 2] = ["shutting_down", "behind"];
/// The newest auctions.
const PATH: &str = "/v1/auctions?sort=newest&limit=20";

/// Asks for a page of auctions again and again.
pub(super) struct Pages {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    asking: AbortOnDropHandle<()>,
}

/// Asks one query API after the other.
struct Asker {
    client: reqwest::Client,
    urls: Vec<String>,
    pool: PgPool,
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    /// The folds of which pages were, each until another one was seen.
    folds: Vec<Fold>,
    /// What must not happen.
    faults: Vec<String>,
    pages: u32,
}

/// By which fold a row is made: only that of the next build writes titles in capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Old,
    New,
}

impl Pages {
    /// Begins to ask.
    pub(super) fn watch(stack: &Stack) -> Self {
        let asker = Asker {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            urls: stack.query_apis.iter().map(|api| api.url.clone()).collect(),
            pool: stack.pool.clone(),
        };
        let (seen, stop) = (Arc::default(), CancellationToken::new());
        let asking = tokio::spawn(asker.ask_again(Arc::clone(&seen), stop.clone()));
        Self {
            seen,
            stop,
            asking: AbortOnDropHandle::new(asking),
        }
    }

    /// Fails unless every page was of one fold: first of the old one, then of the new one, then of the old one again.
    pub(super) async fn assert_unmixed(self) {
        self.stop.cancel();
        self.asking.await.unwrap();
        let seen = self.seen.lock().unwrap();
        assert!(seen.faults.is_empty(), "{seen:?}");
        assert_eq!(seen.folds, [Fold::Old, Fold::New, Fold::Old], "{seen:?}");
    }
}

impl Asker {
    async fn ask_again(mut self, seen: Arc<Mutex<Seen>>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let page = timeout(ANSWERED, self.page()).await;
            let late = || Err(format!("a query was not answered within {ANSWERED:?}"));
            let page = page.unwrap_or_else(|_| late());
            seen.lock().unwrap().add(page);
            sleep(PAUSE).await;
        }
    }

    /// A page that reflects all that is in the log now.
    async fn page(&mut self) -> Result<Answer, String> {
        let head = "select timeline || '.' || position from log_head";
        let head = sqlx::query_scalar(head).fetch_one(&self.pool).await;
        let head: String = head.unwrap();
        loop {
            match self.ask(&head).await {
                Ok(answer) if answer.is_ok() => return Ok(answer),
                Ok(answer) if !PASSING.contains(&answer.code()) => {
                    return Err(format!("a query failed: {answer:?}"));
                }
                Ok(_) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn ask(&mut self, head: &str) -> reqwest::Result<Answer> {
        self.urls.rotate_left(1);
        let url = format!("{}{PATH}", self.urls[0]);
        Answer::try_to(self.client.get(url).header("tidemark", head)).await
    }
}

impl Seen {
    fn add(&mut self, page: Result<Answer, String>) {
        let page = match page {
            Ok(page) => page,
            Err(fault) => return self.faults.push(fault),
        };
        self.pages += 1;
        let items = page.body["items"].as_array().unwrap();
        let folds: Vec<_> = items.iter().map(fold).collect();
        let Some(fold) = folds.first().copied() else {
            return;
        };
        if folds.iter().any(|other| *other != fold) {
            let token = page.header("tidemark");
            self.faults
                .push(format!("a page at {token} is of both folds"));
        } else if self.folds.last() != Some(&fold) {
            self.folds.push(fold);
        }
    }
}

fn fold(item: &Value) -> Fold {
    let title = item["title"].as_str().unwrap();
    if title.contains(char::is_lowercase) {
        Fold::Old
    } else {
        Fold::New
    }
}
