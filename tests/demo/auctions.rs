//! The live auctions: each seller auctions one thing after the other, and all bidders bid on what
//! is open.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::api::{Api, Failure};
use crate::demo_data;
use crate::people::{People, Person};
use crate::terminal::Terminal;

const TITLES: [&str; 8] = [
    "Folding camera",
    "Light meter",
    "Dress watch",
    "Wall clock",
    "Ukulele",
    "Metronome",
    "Slide projector",
    "Music box",
];

/// Nobody bids any more when the price is this many times the starting price. Without a limit, late
/// bids would extend auctions for ever.
const PRICE_FACTOR_MAX: i64 = 2;

/// What all sellers and bidders share.
pub(crate) struct LiveAuctions {
    pub(crate) api: Api,
    /// The ids of categories.
    pub(crate) categories: Vec<String>,
    pub(crate) terminal: Arc<Terminal>,
    /// How long each auction lasts.
    pub(crate) auction_seconds: u32,
    pub(crate) stop: CancellationToken,
}

/// Starts a task for each seller and bidder.
pub(crate) fn start(live: &Arc<LiveAuctions>, people: People) -> Vec<JoinHandle<()>> {
    let sellers = people.sellers.into_iter().map(|seller| {
        let live = Arc::clone(live);
        tokio::spawn(async move { live.repeat(|| live.sell(&seller)).await })
    });
    let sellers: Vec<_> = sellers.collect();
    let bidders = people.bidders.into_iter().map(|bidder| {
        let live = Arc::clone(live);
        tokio::spawn(async move { live.repeat(|| live.bid(&bidder)).await })
    });
    sellers.into_iter().chain(bidders).collect()
}

impl LiveAuctions {
    /// Does something again and again until the end, and shows what fails.
    async fn repeat<F: Future<Output = Result<(), Failure>>>(&self, act: impl Fn() -> F) {
        while !self.stop.is_cancelled() {
            let done = self.stop.run_until_cancelled(act()).await;
            if let Some(Err(failure)) = done {
                Terminal::show_failure(&failure);
                self.pause(Duration::from_secs(1)).await;
            }
        }
    }

    async fn sell(&self, seller: &Person) -> Result<(), Failure> {
        let title = TITLES[random(TITLES.len())];
        let category = &self.categories[random(self.categories.len())];
        let price = 1_000 * i64::try_from(1 + random(40)).unwrap_or(1);
        let duration = TimeDelta::seconds(i64::from(self.auction_seconds));
        let auction =
            demo_data::make_auction(&self.api, seller, category, title, price, duration).await?;
        self.terminal
            .show_opened(&seller.name, title, price, self.auction_seconds);
        self.wait_for_close(&auction.id()).await
    }

    /// Waits until the auction has been closed at its end, and shows how it ended.
    async fn wait_for_close(&self, id: &str) -> Result<(), Failure> {
        loop {
            self.pause(Duration::from_secs(1)).await;
            let auction = self.api.query(&format!("auctions/{id}"), None).await?.body;
            if auction["status"] == "closed" {
                Terminal::show_closed(&auction);
                return Ok(());
            }
        }
    }

    async fn bid(&self, bidder: &Person) -> Result<(), Failure> {
        self.pause(Duration::from_millis(200 + 10 * random(150) as u64))
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
            // Another bidder was faster, or the auction is over.
            Err(failure) if !failure.code.is_empty() => {
                self.terminal
                    .show_refused(&bidder.name, &auction["title"], &failure.code);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let answered = sent.elapsed();
        let path = format!("auctions/{id}");
        let visible = self.api.query(&path, Some(&answer.tidemark)).await?;
        self.terminal.show_bid(
            &bidder.name,
            &visible.body,
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

/// Chooses one of the auctions whose price is not too high yet.
fn choose(items: &Value) -> Option<&Value> {
    let amount = |auction: &Value, price: &str| auction[price]["amount"].as_i64().unwrap_or(0);
    let is_affordable = |auction: &&Value| {
        amount(auction, "current_price") < PRICE_FACTOR_MAX * amount(auction, "starting_price")
    };
    let affordable: Vec<_> = items.as_array()?.iter().filter(is_affordable).collect();
    affordable.get(random(affordable.len().max(1))).copied()
}

/// A random number below another one.
#[expect(clippy::disallowed_methods, reason = "people are not predictable")]
fn random(below: usize) -> usize {
    rand::rng().random_range(0..below)
}
