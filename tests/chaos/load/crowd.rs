//! Bidders in a crowd. They bid on the shared auctions and write no journal: they only make load.

use std::sync::Arc;

use serde_json::json;
use tidemark_tests::market::eur;

use super::Shared;

/// A bidder in the crowd.
pub(crate) struct CrowdBidder {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    /// The connections, which all bidders share.
    pub(super) http: reqwest::Client,
}

impl CrowdBidder {
    /// Bids once, and returns the status of the answer, if there is one.
    pub(crate) async fn bid(&self) -> Option<u16> {
        let market = &self.shared.market;
        let auction = market.shared_auction(self.number)?;
        let urls = &self.shared.command_urls;
        let url = format!(
            "{}/v1/auctions/{}/bids",
            urls[self.number % urls.len()],
            auction.id
        );
        let key = format!("bid-of-the-crowd-{}", market.next_number());
        let body = json!({"amount": eur(auction.next_price())});
        let request = self.http.post(url).json(&body);
        let request = request.header("idempotency-key", key);
        let request = request.bearer_auth(market.buyer_token(self.number));
        let answer = request.send().await.ok()?;
        Some(answer.status().as_u16())
    }
}
