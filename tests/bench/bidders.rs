//! Clients over HTTP: each bids in turn on auctions that nobody else bids on, and some look at what came
//! of it. So no bid is overtaken, and every one is accepted.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use futures::{StreamExt, stream};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::json;
use tidemark_tests::Deployment;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE, eur};
use uuid::Uuid;

use crate::connection::{Answer, Connection};
use crate::load::Client;

/// Connections that send commands at once.
pub(crate) const CLIENTS: usize = 64;
/// Auctions that take bids; each client has as many as the others.
pub(crate) const AUCTIONS: usize = 16 * CLIENTS;

/// Requests at once while the market is made, when pools and caches are cold.
const FEW: usize = 8;

/// Open auctions and those who bid.
pub(crate) struct Market {
    /// In the order in which they were made.
    pub(crate) auctions: Vec<Uuid>,
    bidders: Vec<Login>,
    /// The highest position that an answer named.
    pub(crate) head: Arc<AtomicI64>,
}

/// A bidder's credential, and the next price of each of their auctions.
#[derive(Clone)]
struct Login {
    token: String,
    auctions: Vec<(Uuid, Arc<AtomicI64>)>,
}

impl Market {
    /// Made through the API.
    pub(crate) async fn open(deployment: &Deployment) -> Self {
        let app = &deployment.app;
        let market = app.market().await;
        let auctions: Vec<_> = stream::iter(0..AUCTIONS)
            .map(|_| market.auction(json!({})))
            .buffer_unordered(FEW)
            .collect()
            .await;
        let bidders = stream::iter(auctions.chunks(AUCTIONS / CLIENTS))
            .map(|ids| async {
                let price = |id: &Uuid| (*id, Arc::new(AtomicI64::new(STARTING_PRICE)));
                Login {
                    token: format!("Bearer {}", app.user().await.access_token),
                    auctions: ids.iter().map(price).collect(),
                }
            })
            .buffer_unordered(FEW)
            .collect()
            .await;
        Self {
            auctions,
            bidders,
            head: Arc::default(),
        }
    }

    /// All bidders, connected.
    pub(crate) async fn bidders(&self, deployment: &Deployment) -> Vec<Bidder> {
        let connect = |login: &Login| {
            let (login, head) = (login.clone(), Arc::clone(&self.head));
            async {
                Bidder {
                    connection: Connection::open(&deployment.command_api.url).await,
                    login,
                    turn: 0,
                    head,
                }
            }
        };
        futures::future::join_all(self.bidders.iter().map(connect)).await
    }

    /// All bidders, each looking at the auction after each bid.
    pub(crate) async fn readers(&self, deployment: &Deployment) -> Vec<Reader> {
        let connect = async |bidder| Reader {
            bidder,
            connection: Connection::open(&deployment.query_api.url).await,
        };
        let bidders = self.bidders(deployment).await;
        futures::future::join_all(bidders.into_iter().map(connect)).await
    }
}

/// Somebody who bids.
pub(crate) struct Bidder {
    connection: Connection,
    login: Login,
    turn: usize,
    head: Arc<AtomicI64>,
}

impl Bidder {
    /// The next bid: on which auction, and the answer.
    async fn bid(&mut self) -> (Uuid, Answer) {
        let (id, price) = &self.login.auctions[self.turn % self.login.auctions.len()];
        self.turn += 1;
        let amount = price.fetch_add(INCREMENT, Relaxed);
        let body = json!({"amount": eur(amount)}).to_string();
        let path = format!("/v1/auctions/{id}/bids");
        let answer = self
            .connection
            .post(&path, &self.login.token, Bytes::from(body))
            .await;
        let tidemark = answer.tidemark.as_deref();
        // Clients must not look into it; this one compares it with what the projector tells.
        if let Some((_, position)) = tidemark.and_then(|text| text.split_once('.')) {
            self.head.fetch_max(position.parse().unwrap(), Relaxed);
        }
        (*id, answer)
    }
}

impl Client for Bidder {
    async fn turn(&mut self) -> bool {
        let (_, answer) = self.bid().await;
        answer.status == StatusCode::CREATED
    }
}

/// Somebody who bids and then asks for the auction as that bid left it.
pub(crate) struct Reader {
    bidder: Bidder,
    connection: Connection,
}

impl Client for Reader {
    async fn turn(&mut self) -> bool {
        let (id, done) = self.bidder.bid().await;
        let path = format!("/v1/auctions/{id}");
        let seen = self.connection.get(&path, done.tidemark.as_deref());
        done.status == StatusCode::CREATED && seen.await.status == StatusCode::OK
    }
}
