//! Bidders in a crowd. They bid on the shared auctions and write no journal: they only make load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::market::eur;
use tokio::time::sleep;

use super::Shared;
use super::market::SharedAuction;

/// A bidder in the crowd.
pub(crate) struct CrowdBidder {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    /// The connections, which all bidders share.
    pub(super) http: reqwest::Client,
}

impl CrowdBidder {
    /// Bids once on a shared auction, and returns the status of the answer, if there is one. The crowd
    /// divides itself among the auctions and command APIs.
    pub(crate) async fn bid(&self) -> Option<u16> {
        let apis = self.shared.command_urls.len();
        let auction = self.shared.market.shared_auction(self.number)?;
        self.bid_on(&auction, self.number % apis).await
    }

    /// Bids once on the newest shared auction, at the command API with this index, and returns the
    /// status of the answer, if there is one.
    pub(crate) async fn bid_on_newest(&self, api: usize) -> Option<u16> {
        let auction = self.shared.market.newest_shared_auction()?;
        self.bid_on(&auction, api).await
    }

    async fn bid_on(&self, auction: &SharedAuction, api: usize) -> Option<u16> {
        let market = &self.shared.market;
        let url = &self.shared.command_urls[api];
        let url = format!("{url}/v1/auctions/{}/bids", auction.id);
        let key = format!("bid-of-the-crowd-{}", market.next_number());
        let body = json!({"amount": eur(auction.next_price())});
        let request = self.http.post(url).json(&body);
        let request = request.header("idempotency-key", key);
        let request = request.bearer_auth(market.buyer_token(self.number));
        let answer = request.send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

/// Has bidders bid one bid after the other, and returns how long each bid took that was decided:
/// accepted, or refused because it was too low.
pub(crate) async fn keep_bidding<'a, F: Future<Output = Option<u16>>>(
    bidders: &'a [CrowdBidder],
    time: Duration,
    bid_once: impl Fn(&'a CrowdBidder) -> F,
) -> Vec<Duration> {
    let until = Instant::now() + time;
    let bidders = bidders.iter().map(|bidder| async {
        let mut decided = Vec::new();
        while Instant::now() < until {
            let sent = Instant::now();
            match bid_once(bidder).await {
                Some(201 | 409) => decided.push(sent.elapsed()),
                // The answer says to come back later.
                Some(429 | 503) | None => sleep(Duration::from_secs(1)).await,
                Some(status) => panic!("a bid was answered {status}"),
            }
        }
        decided
    });
    join_all(bidders).await.into_iter().flatten().collect()
}
