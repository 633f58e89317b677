//! What the terminal shows: a line for each event, and every few seconds how the stack is doing.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::api::Failure;

const SUMMARY_INTERVAL: Duration = Duration::from_secs(5);

/// The terminal, and what it has shown since the last summary.
pub(crate) struct Terminal {
    metrics_url: String,
    accepted_commands: AtomicU32,
    refused_bids: AtomicU32,
    /// How long each bid took until a query showed it.
    visible_after: Mutex<Vec<Duration>>,
}

impl Terminal {
    /// A terminal that shows the lag from this projector's metrics.
    pub(crate) fn new(projector_url: &str) -> Self {
        Self {
            metrics_url: format!("{projector_url}/metrics"),
            accepted_commands: AtomicU32::new(0),
            refused_bids: AtomicU32::new(0),
            visible_after: Mutex::default(),
        }
    }

    /// Shows what the lines mean.
    pub(crate) fn show_legend() {
        println!(
            "Live auctions. Each bid shows its Tidemark, after how long its command was answered,"
        );
        println!(
            "and after how long a query with that Tidemark showed it. Ctrl-C ends the demo.\n"
        );
    }

    /// Shows that an auction has begun. It took three commands; `price` is in cents.
    pub(crate) fn show_opened(&self, seller: &str, title: &str, price: i64, seconds: u32) {
        self.accepted_commands.fetch_add(3, Relaxed);
        println!(
            "  new      {seller:<6} auctions {title:<32} from {:>9}, {seconds} s",
            euro(price)
        );
    }

    /// Shows a bid that was accepted and is visible.
    pub(crate) fn show_bid(
        &self,
        bidder: &str,
        auction: &Value,
        tidemark: &str,
        answered: Duration,
        visible: Duration,
    ) {
        self.accepted_commands.fetch_add(1, Relaxed);
        self.visible_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(visible);
        let title = auction["title"].as_str().unwrap_or_default();
        let price = euro(auction["current_price"]["amount"].as_i64().unwrap_or(0));
        println!(
            "  bid      {bidder:<6} on       {title:<32}      {price:>9}  at {tidemark:<9} answered {:>4} ms, visible {:>4} ms",
            answered.as_millis(),
            visible.as_millis(),
        );
    }

    /// Shows a bid that was refused.
    pub(crate) fn show_refused(&self, bidder: &str, title: &Value, code: &str) {
        self.refused_bids.fetch_add(1, Relaxed);
        let title = title.as_str().unwrap_or_default();
        println!("  refused  {bidder:<6} on       {title:<32} {code}");
    }

    /// Shows how an auction ended.
    pub(crate) fn show_closed(auction: &Value) {
        let title = auction["title"].as_str().unwrap_or_default();
        let result = auction["outcome"]["result"].as_str().unwrap_or_default();
        let price = euro(auction["current_price"]["amount"].as_i64().unwrap_or(0));
        let bids = &auction["bid_count"];
        println!("  closed                   {title:<32} {result} at {price} after {bids} bids");
    }

    /// Shows a request that failed.
    pub(crate) fn show_failure(failure: &Failure) {
        println!("  failed   {failure}");
    }

    /// Shows every 5 s how the stack is doing.
    pub(crate) async fn show_summaries(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(SUMMARY_INTERVAL);
        ticks.tick().await;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let lag = self
                .lag()
                .await
                .map_or("unknown".to_owned(), |lag| format!("{lag:.0} events"));
            let mut visible = std::mem::take(
                &mut *self
                    .visible_after
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            visible.sort_unstable();
            let median = visible.get(visible.len() / 2);
            let median = median.map_or("none".to_owned(), |t| format!("{} ms", t.as_millis()));
            println!(
                "  summary  {:.1} commands/s accepted, {} bids refused, a bid is visible after {median} (median), read models lag by {lag}",
                f64::from(self.accepted_commands.swap(0, Relaxed)) / SUMMARY_INTERVAL.as_secs_f64(),
                self.refused_bids.swap(0, Relaxed),
            );
        }
    }

    /// The lag in events of the read model that is furthest behind.
    async fn lag(&self) -> Option<f64> {
        let text = reqwest::get(&self.metrics_url)
            .await
            .ok()?
            .text()
            .await
            .ok()?;
        let lags = text
            .lines()
            .filter(|line| line.starts_with("tidemark_projection_lag_events"));
        let lags = lags.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        lags.reduce(f64::max).map(|lag| lag.max(0.0))
    }
}

fn euro(cents: i64) -> String {
    format!("{}.{:02} EUR", cents / 100, cents % 100)
}
