//! A market behind the public API, and clients that bid there. Each client bids on auctions of its
//! own, so that no bid is overtaken and every bid is accepted, unless all are to bid on one auction.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use futures::future::join_all;
use futures::{StreamExt, stream};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::json;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE, eur};
use tidemark_tests::{Deployment, Process};
use uuid::Uuid;

use super::Connection;
use crate::load::Client;

/// Clients, each with a connection.
pub(crate) const CLIENTS: usize = 64;
/// Open auctions, which are divided evenly among the clients.
const AUCTIONS: usize = 16 * CLIENTS;

/// Requests at the same time while the market is made, when pools and caches are cold.
const SETUP_CONCURRENCY: usize = 8;

/// Open auctions, and users who bid on them.
pub(crate) struct Market {
    /// In the order in which they were made.
    pub(crate) auctions: Vec<Uuid>,
    users: Vec<User>,
    /// The highest position that any client has been answered.
    pub(crate) head: Arc<AtomicI64>,
}

/// A user's token, and their auctions with the price in cents of the next bid.
#[derive(Clone)]
struct User {
    token: String,
    auctions: Vec<(Uuid, Arc<AtomicI64>)>,
}

impl Market {
    /// Makes everything through the API.
    pub(crate) async fn open(deployment: &Deployment) -> Self {
        let app = &deployment.app;
        let market = app.market().await;
        let auctions: Vec<_> = stream::iter(0..AUCTIONS)
            .map(|_| market.auction(json!({})))
            .buffer_unordered(SETUP_CONCURRENCY)
            .collect()
            .await;
        let users = stream::iter(auctions.chunks(AUCTIONS / CLIENTS))
            .map(|ids| async {
                let price = |id: &Uuid| (*id, Arc::new(AtomicI64::new(STARTING_PRICE)));
                User {
                    token: format!("Bearer {}", app.user().await.access_token),
                    auctions: ids.iter().map(price).collect(),
                }
            })
            .buffer_unordered(SETUP_CONCURRENCY)
            .collect()
            .await;
        Self {
            auctions,
            users,
            head: Arc::default(),
        }
    }

    /// Connects a bidder for each user.
    pub(crate) async fn bidders(&self, deployment: &Deployment) -> Vec<Bidder> {
        let url = &deployment.command_api.url;
        let connect = |user: &User| self.bidder(url, user.clone());
        join_all(self.users.iter().map(connect)).await
    }

    /// Connects a bidder for each of these users to this command API. All bid on one auction.
    pub(crate) async fn rivals(&self, command_api: &Process, users: Range<usize>) -> Vec<Rival> {
        let auction = &self.users[0].auctions[..1];
        let connect = async |user: &User| {
            let (token, auctions) = (user.token.clone(), auction.to_vec());
            Rival(
                self.bidder(&command_api.url, User { token, auctions })
                    .await,
            )
        };
        join_all(self.users[users].iter().map(connect)).await
    }

    async fn bidder(&self, command_api: &str, user: User) -> Bidder {
        Bidder {
            connection: Connection::open(command_api).await,
            user,
            sent: 0,
            head: Arc::clone(&self.head),
        }
    }

    /// Connects a bidder for each user who reads the auction after each bid.
    pub(crate) async fn reading_bidders(&self, deployment: &Deployment) -> Vec<ReadingBidder> {
        let connect = async |bidder| ReadingBidder {
            bidder,
            connection: Connection::open(&deployment.query_api.url).await,
        };
        let bidders = self.bidders(deployment).await;
        join_all(bidders.into_iter().map(connect)).await
    }
}

/// A bid that was sent.
pub(super) struct Bid {
    pub(super) auction: Uuid,
    /// The amount of the bid in cents.
    pub(super) amount: i64,
    pub(super) is_accepted: bool,
    /// Whether it was refused, as one is that another bid has overtaken.
    is_refused: bool,
    pub(super) tidemark: Option<String>,
}

/// A client that bids.
pub(crate) struct Bidder {
    connection: Connection,
    user: User,
    /// How many bids it has sent.
    sent: usize,
    head: Arc<AtomicI64>,
}

impl Bidder {
    /// Sends the next bid.
    pub(super) async fn bid(&mut self) -> Bid {
        let (id, price) = &self.user.auctions[self.sent % self.user.auctions.len()];
        self.sent += 1;
        let amount = price.fetch_add(INCREMENT, Relaxed);
        let body = json!({"amount": eur(amount)}).to_string();
        let path = format!("/v1/auctions/{id}/bids");
        let answer = self
            .connection
            .post(&path, &self.user.token, Bytes::from(body))
            .await;
        let tidemark = answer.tidemark.as_deref();
        // Clients must not look into a `Tidemark`. This one compares its position with the
        // projector's metrics.
        if let Some((_, position)) = tidemark.and_then(|text| text.split_once('.')) {
            self.head.fetch_max(position.parse().unwrap(), Relaxed);
        }
        Bid {
            auction: *id,
            amount,
            is_accepted: answer.status == StatusCode::CREATED,
            is_refused: answer.status == StatusCode::CONFLICT,
            tidemark: answer.tidemark,
        }
    }
}

impl Client for Bidder {
    async fn send_next(&mut self) -> bool {
        self.bid().await.is_accepted
    }
}

/// A client that bids on an auction on which others bid too. To be refused is an answer as expected.
pub(crate) struct Rival(Bidder);

impl Client for Rival {
    async fn send_next(&mut self) -> bool {
        let bid = self.0.bid().await;
        bid.is_accepted || bid.is_refused
    }
}

/// A client that bids, and then reads the auction with the bid's `Tidemark`.
pub(crate) struct ReadingBidder {
    bidder: Bidder,
    connection: Connection,
}

impl Client for ReadingBidder {
    async fn send_next(&mut self) -> bool {
        let bid = self.bidder.bid().await;
        let path = format!("/v1/auctions/{}", bid.auction);
        let read = self.connection.get(&path, bid.tidemark.as_deref());
        bid.is_accepted && read.await.status == StatusCode::OK
    }
}
