//! Clients that bid, and then query what their bid has changed. They know what each query has to show, down to every
//! item of a list.

use std::collections::HashSet;
use std::mem::replace;
use std::time::Instant;

use futures::future::join_all;
use hdrhistogram::Histogram;
use hyper::StatusCode;
use serde_json::Value;
use tidemark_tests::Deployment;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE};

use super::connection::Answer;
use super::market::{Bid, Bidder};
use super::{Connection, Market};
use crate::load::{Client, histogram, micros};

/// The items of a page.
const LIMIT: usize = 20;
/// The bids after each of which a client also asks for a list.
const LIST_EVERY: usize = 4;

/// A client that bids, reads the auction and sometimes a list with the bid's `Tidemark`, and looks at what it is shown.
pub(crate) struct QueryingBidder {
    bidder: Bidder,
    connection: Connection,
    bids: usize,
    seen: Seen,
}

/// What clients saw of their queries.
pub(crate) struct Seen {
    /// The latencies of queries, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Queries that failed, or did not show exactly what is there.
    pub(crate) wrong: u32,
}

/// What is asked for, and whether the body of the answer shows what it has to.
type Query = (String, fn(&Value, &Bid) -> bool);

/// Connects a client for each user of the market.
pub(crate) async fn querying_bidders(
    market: &Market,
    deployment: &Deployment,
) -> Vec<QueryingBidder> {
    let connect = async |bidder| QueryingBidder {
        bidder,
        connection: Connection::open(&deployment.query_api.url).await,
        bids: 0,
        seen: Seen::nothing(),
    };
    let bidders = market.bidders(deployment).await;
    join_all(bidders.into_iter().map(connect)).await
}

impl Client for QueryingBidder {
    async fn send_next(&mut self) -> bool {
        let bid = self.bidder.bid().await;
        if !bid.is_accepted {
            return false;
        }
        self.bids += 1;
        self.query((format!("/v1/auctions/{}", bid.auction), is_price), &bid)
            .await;
        if self.bids.is_multiple_of(LIST_EVERY) {
            let list = self.list(&bid);
            self.query(list, &bid).await;
        }
        true
    }
}

impl QueryingBidder {
    /// What all of these clients saw since they were asked before.
    pub(crate) fn take_seen(clients: &mut [Self]) -> Seen {
        let mut all = Seen::nothing();
        for client in clients {
            let seen = replace(&mut client.seen, Seen::nothing());
            all.latencies.add(seen.latencies).unwrap();
            all.wrong += seen.wrong;
        }
        all
    }

    /// The bids of the auction, and the newest auctions, by turns.
    fn list(&self, bid: &Bid) -> Query {
        if self.bids.is_multiple_of(2 * LIST_EVERY) {
            let path = format!("/v1/auctions/{}/bids?limit={LIMIT}", bid.auction);
            (path, are_bids)
        } else {
            let path = format!("/v1/auctions?sort=newest&status=open&limit={LIMIT}");
            (path, are_auctions)
        }
    }

    async fn query(&mut self, (path, shows): Query, bid: &Bid) {
        let asked = Instant::now();
        let answer = self.connection.get(&path, bid.tidemark.as_deref()).await;
        let latency = micros(asked.elapsed());
        self.seen.latencies.saturating_record(latency);
        let is_right = answer.status == StatusCode::OK
            && position(answer.tidemark.as_deref()) >= position(bid.tidemark.as_deref())
            && body(&answer).is_some_and(|body| shows(&body, bid));
        self.seen.wrong += u32::from(!is_right);
    }
}

impl Seen {
    fn nothing() -> Self {
        Self {
            latencies: histogram(),
            wrong: 0,
        }
    }
}

/// The position of a `Tidemark`. Clients must not look into one.
fn position(tidemark: Option<&str>) -> Option<i64> {
    let (_, position) = tidemark?.split_once('.')?;
    position.parse().ok()
}

fn body(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// The auction has the price of the bid, since nobody else bids on it.
fn is_price(auction: &Value, bid: &Bid) -> bool {
    auction["current_price"]["amount"] == bid.amount
}

/// The newest bids are there, each once. Rows of two generations, or of two positions, would leave gaps or repeat bids.
fn are_bids(page: &Value, bid: &Bid) -> bool {
    let newest = (STARTING_PRICE..=bid.amount).rev();
    let expected = newest
        .step_by(usize::try_from(INCREMENT).unwrap())
        .take(LIMIT);
    let amounts = items(page).map(|item| item["amount"]["amount"].as_i64());
    amounts.eq(expected.map(Some))
}

/// The page is full, and no auction is there twice.
fn are_auctions(page: &Value, _: &Bid) -> bool {
    let ids: HashSet<_> = items(page).filter_map(|item| item["id"].as_str()).collect();
    ids.len() == LIMIT && items(page).count() == LIMIT
}

fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page["items"].as_array().into_iter().flatten()
}
