//! What the terminal shows: a line an event, and now and then how the stack is doing.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::api::Failure;

const SUMMARY_EVERY: Duration = Duration::from_secs(5);

/// The terminal.
pub(crate) struct Ticker {
    metrics_url: String,
    accepted: AtomicU32,
    refused: AtomicU32,
    visible: Mutex<Vec<Duration>>,
}

impl Ticker {
    /// With the projector's metrics.
    pub(crate) fn new(projector_url: &str) -> Self {
        Self {
            metrics_url: format!("{projector_url}/metrics"),
            accepted: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            visible: Mutex::default(),
        }
    }

    /// What the lines mean.
    pub(crate) fn headline() {
        println!("Live auctions. Each bid shows its position in the log, when its command was");
        println!("answered, and when a query with its Tidemark showed it. Ctrl-C ends the demo.\n");
    }

    /// An auction began.
    pub(crate) fn opened(&self, seller: &str, title: &str, price: i64, seconds: u32) {
        self.accepted.fetch_add(3, Relaxed);
        println!(
            "  NEW   {seller:<6} auctions {title:<32} from {:>9}, {seconds} s",
            euro(price)
        );
    }

    /// A bid was accepted and seen.
    pub(crate) fn bid(
        &self,
        bidder: &str,
        auction: &Value,
        tidemark: &str,
        answered: Duration,
        seen: Duration,
    ) {
        self.accepted.fetch_add(1, Relaxed);
        self.visible
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
        let title = auction["title"].as_str().unwrap_or_default();
        let price = euro(auction["current_price"]["amount"].as_i64().unwrap_or(0));
        println!(
            "  bid   {bidder:<6} on       {title:<32}      {price:>9}  at {tidemark:<9} answered {:>4} ms, visible {:>4} ms",
            answered.as_millis(),
            seen.as_millis(),
        );
    }

    /// A bid came too late.
    pub(crate) fn refused(&self, bidder: &str, title: &Value, code: &str) {
        self.refused.fetch_add(1, Relaxed);
        let title = title.as_str().unwrap_or_default();
        println!("  no    {bidder:<6} on       {title:<32} {code}");
    }

    /// An auction is over.
    pub(crate) fn closed(auction: &Value) {
        let title = auction["title"].as_str().unwrap_or_default();
        let result = auction["outcome"]["result"].as_str().unwrap_or_default();
        let price = euro(auction["current_price"]["amount"].as_i64().unwrap_or(0));
        let bids = &auction["bid_count"];
        println!("  CLOSE           {title:<32} {result} at {price} after {bids} bids");
    }

    /// Something failed.
    pub(crate) fn trouble(failure: &Failure) {
        println!("  !!    {failure}");
    }

    /// Shows every few seconds how the stack is doing.
    pub(crate) async fn summarise(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(SUMMARY_EVERY);
        ticks.tick().await;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let lag = self
                .lag()
                .await
                .map_or("unknown".to_owned(), |lag| format!("{lag:.0} events"));
            let mut visible =
                std::mem::take(&mut *self.visible.lock().unwrap_or_else(PoisonError::into_inner));
            visible.sort_unstable();
            let median = visible.get(visible.len() / 2);
            let median = median.map_or("none".to_owned(), |t| format!("{} ms", t.as_millis()));
            println!(
                "  ----  {:.1} commands/s accepted, {} bids refused, median until visible {median}, read models lag by {lag}",
                f64::from(self.accepted.swap(0, Relaxed)) / SUMMARY_EVERY.as_secs_f64(),
                self.refused.swap(0, Relaxed),
            );
        }
    }

    /// How far the read model that is furthest behind is behind the log.
    async fn lag(&self) -> Option<f64> {
        let text = reqwest::get(&self.metrics_url)
            .await
            .ok()?
            .text()
            .await
            .ok()?;
        let lags = text
            .lines()
            .filter(|line| line.starts_with("tidemark_projection_lag"));
        let lags = lags.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        lags.reduce(f64::max).map(|lag| lag.max(0.0))
    }
}

fn euro(cents: i64) -> String {
    format!("{}.{:02} EUR", cents / 100, cents % 100)
}
