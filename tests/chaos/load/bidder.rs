//! One of a crowd that bids on what all bid on, and keeps no journal: what it does is load.

use std::sync::Arc;

use serde_json::json;
use tidemark_tests::market::eur;

use super::Shared;

/// Somebody in the crowd.
pub(crate) struct Bidder {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    /// Shared by all of them.
    pub(super) http: reqwest::Client,
}

impl Bidder {
    /// Bids; the status of the answer, if there is one.
    pub(crate) async fn bid(&self) -> Option<u16> {
        let market = &self.shared.market;
        let hot = market.hot(self.number)?;
        let urls = &self.shared.command_urls;
        let url = format!(
            "{}/v1/auctions/{}/bids",
            urls[self.number % urls.len()],
            hot.id
        );
        let key = format!("bid-of-the-crowd-{}", market.name());
        let request = self.http.post(url).json(&json!({"amount": eur(hot.bid())}));
        let request = request.header("idempotency-key", key);
        let request = request.bearer_auth(market.bidder(self.number));
        let answer = request.send().await.ok()?;
        Some(answer.status().as_u16())
    }
}
