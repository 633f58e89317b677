//! Bidders in a crowd. They bid on the shared auctions and write no journal: they only make load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
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
    /// Bids once on a shared auction, and returns what is answered, if there is an answer. The crowd
    /// divides itself among the auctions and command APIs.
    pub(crate) async fn bid(&self) -> Option<Answered> {
        let apis = self.shared.command_urls.len();
        let auction = self.shared.market.shared_auction(self.number)?;
        self.bid_on(&auction, self.number % apis).await
    }

    /// Bids once on the newest shared auction, at the command API with this index, and returns what is
    /// answered, if there is an answer.
    pub(crate) async fn bid_on_newest(&self, api: usize) -> Option<Answered> {
        let auction = self.shared.market.newest_shared_auction()?;
        self.bid_on(&auction, api).await
    }

    async fn bid_on(&self, auction: &SharedAuction, api: usize) -> Option<Answered> {
        let market = &self.shared.market;
        let url = &self.shared.command_urls[api];
        let url = format!("{url}/v1/auctions/{}/bids", auction.id);
        let key = format!("bid-of-the-crowd-{}", market.next_number());
        let body = json!({"amount": eur(auction.next_price())});
        let request = self.http.post(url).json(&body);
        let request = request.header("idempotency-key", key);
        let request = request.bearer_auth(market.buyer_token(self.number));
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap_or_default();
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        Some(Answered { status, code })
    }
}

/// What a bid is answered.
pub(crate) struct Answered {
    status: u16,
    /// The code of the problem; empty if the bid was accepted.
    code: String,
}

/// What became of the bids of a crowd.
#[derive(Debug, Default)]
pub(crate) struct Bids {
    /// How long each bid took that was decided: accepted, or refused because it was too low.
    pub(crate) decided: Vec<Duration>,
    /// How many were put off, by the code that they were answered, or not answered at all.
    pub(crate) put_off: BTreeMap<String, usize>,
}

impl Bids {
    fn add(&mut self, other: Self) {
        self.decided.extend(other.decided);
        for (code, count) in other.put_off {
            *self.put_off.entry(code).or_default() += count;
        }
    }
}

/// Has bidders bid one bid after the other.
pub(crate) async fn keep_bidding<'a, F: Future<Output = Option<Answered>>>(
    bidders: &'a [CrowdBidder],
    time: Duration,
    bid_once: impl Fn(&'a CrowdBidder) -> F,
) -> Bids {
    let until = Instant::now() + time;
    let bidders = bidders.iter().map(|bidder| async {
        let mut bids = Bids::default();
        while Instant::now() < until {
            let sent = Instant::now();
            let code = match bid_once(bidder).await {
                Some(Answered {
                    status: 201 | 409, ..
                }) => {
                    bids.decided.push(sent.elapsed());
                    continue;
                }
                Some(Answered {
                    status: 429 | 503,
                    code,
                }) => code,
                Some(Answered { status, code }) => panic!("a bid was answered {status} {code}"),
                None => "not answered".to_owned(),
            };
            *bids.put_off.entry(code).or_default() += 1;
            // The answer says to come back later.
            sleep(Duration::from_secs(1)).await;
        }
        bids
    });
    let mut all = Bids::default();
    for bids in join_all(bidders).await {
        all.add(bids);
    }
    all
}
