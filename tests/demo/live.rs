//! Sellers that auction one thing after the other, and bidders that cannot resist.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::api::{Api, Failure};
use crate::people::{Cast, Person};
use crate::seed;
use crate::ticker::Ticker;

const THINGS: [&str; 8] = [
    "Folding camera",
    "Light meter",
    "Dress watch",
    "Wall clock",
    "Ukulele",
    "Metronome",
    "Slide projector",
    "Music box",
];

/// So many times the starting price is too dear for everybody.
const DEAR: i64 = 2;

/// What everybody works with.
pub(crate) struct Stage {
    /// The stack.
    pub(crate) api: Api,
    /// Where things are filed.
    pub(crate) categories: Vec<String>,
    /// Where it is shown.
    pub(crate) ticker: Arc<Ticker>,
    /// How long an auction lasts.
    pub(crate) auction_seconds: u32,
    /// When to stop.
    pub(crate) stop: CancellationToken,
}

/// Sets everybody to work.
pub(crate) fn start(stage: &Arc<Stage>, cast: Cast) -> Vec<JoinHandle<()>> {
    let sellers = cast.sellers.into_iter().map(|seller| {
        let stage = Arc::clone(stage);
        tokio::spawn(async move { stage.repeat(|| stage.sell(&seller)).await })
    });
    let sellers: Vec<_> = sellers.collect();
    let bidders = cast.bidders.into_iter().map(|bidder| {
        let stage = Arc::clone(stage);
        tokio::spawn(async move { stage.repeat(|| stage.bid(&bidder)).await })
    });
    sellers.into_iter().chain(bidders).collect()
}

impl Stage {
    /// Does something again and again until the end; what goes wrong is shown.
    async fn repeat<F: Future<Output = Result<(), Failure>>>(&self, act: impl Fn() -> F) {
        while !self.stop.is_cancelled() {
            let done = self.stop.run_until_cancelled(act()).await;
            if let Some(Err(failure)) = done {
                Ticker::trouble(&failure);
                self.pause(Duration::from_secs(1)).await;
            }
        }
    }

    async fn sell(&self, seller: &Person) -> Result<(), Failure> {
        let title = THINGS[pick(THINGS.len())];
        let category = &self.categories[pick(self.categories.len())];
        let price = 1_000 * i64::try_from(1 + pick(40)).unwrap_or(1);
        let duration = TimeDelta::seconds(i64::from(self.auction_seconds));
        let id = seed::auction(&self.api, seller, category, title, price, duration).await?;
        self.ticker
            .opened(&seller.name, title, price, self.auction_seconds);
        self.outcome(&id).await
    }

    /// Waits until the auction has closed by itself, and shows how it ended.
    async fn outcome(&self, id: &str) -> Result<(), Failure> {
        loop {
            self.pause(Duration::from_secs(1)).await;
            let auction = self.api.query(&format!("auctions/{id}"), None).await?.body;
            if auction["status"] == "closed" {
                Ticker::closed(&auction);
                return Ok(());
            }
        }
    }

    async fn bid(&self, bidder: &Person) -> Result<(), Failure> {
        self.pause(Duration::from_millis(200 + 10 * pick(150) as u64))
            .await;
        let open = "auctions?status=open&sort=ends_at&limit=5";
        let auctions = self.api.query(open, None).await?.body;
        let Some(auction) = choose(&auctions["items"]) else {
            return Ok(());
        };
        let id = auction["id"].as_str().unwrap_or_default();
        let bid = json!({"amount": auction["minimum_next_bid"]});
        let sent = Instant::now();
        let path = format!("auctions/{id}/bids");
        let answer = match bidder.command(&self.api, &path, bid).await {
            Ok(answer) => answer,
            // Somebody was faster, or it is over: that is the game.
            Err(failure) if !failure.code.is_empty() => {
                self.ticker
                    .refused(&bidder.name, &auction["title"], &failure.code);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let answered = sent.elapsed();
        let path = format!("auctions/{id}");
        let seen = self.api.query(&path, Some(&answer.tidemark)).await?;
        self.ticker.bid(
            &bidder.name,
            &seen.body,
            &answer.tidemark,
            answered,
            sent.elapsed(),
        );
        Ok(())
    }

    async fn pause(&self, duration: Duration) {
        self.stop.run_until_cancelled(sleep(duration)).await;
    }
}

/// One of the auctions that are not too dear yet: without a limit, late bids would extend them for ever.
fn choose(items: &Value) -> Option<&Value> {
    let amount = |auction: &Value, price: &str| auction[price]["amount"].as_i64().unwrap_or(0);
    let is_cheap = |auction: &&Value| {
        amount(auction, "current_price") < DEAR * amount(auction, "starting_price")
    };
    let cheap: Vec<_> = items.as_array()?.iter().filter(is_cheap).collect();
    cheap.get(pick(cheap.len().max(1))).copied()
}

#[expect(clippy::disallowed_methods, reason = "people are not predictable")]
fn pick(below: usize) -> usize {
    rand::rng().random_range(0..below)
}
