//! Trades of a client's own, a step at a time: a product is drafted, listed and offered in an
//! auction. Either the client's buyer buys it at once, or the auction is shared with all who bid.

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use serde_json::{Value, json};
use tidemark_tests::market::{eur, product};
use uuid::Uuid;

use super::Participant;
use crate::load::client::{Command, Outcome};
use crate::load::market::STARTING_PRICE;

/// How long a shared auction lasts, in seconds.
const SHARED_AUCTION_S: i64 = 10;
/// How long an auction lasts that the client's buyer ends by buying, in seconds.
const OWN_AUCTION_S: i64 = 3_600;
/// The price in cents at which the client's buyer buys.
const BUY_NOW_PRICE: i64 = 9_000;

/// How far a trade has come.
#[derive(Debug)]
pub(super) enum Trade {
    None,
    Drafted { product: Uuid },
    Listed { product: Uuid },
    Offered { auction: Uuid },
}

impl Participant {
    /// Takes the next step of the trade. A trade whose step is not accepted is given up.
    pub(super) async fn trade(&mut self) -> Outcome {
        match std::mem::replace(&mut self.trade, Trade::None) {
            Trade::None => self.draft().await,
            Trade::Drafted { product } => self.list(product).await,
            Trade::Listed { product } => self.offer(product).await,
            Trade::Offered { auction } => self.buy(auction).await,
        }
    }

    async fn draft(&mut self) -> Outcome {
        // This is refused while the client's category is inactive.
        let mut body = product(self.people.category);
        let number = self.client.shared.market.next_number();
        body["title"] = format!("Chronometer {number}").into();
        let data = json!({"title": body["title"]});
        let path = "/v1/products".to_owned();
        let command = Command::post(path, &self.owner, body, "product.drafted", data);
        let outcome = self.client.execute(command).await;
        if let Outcome::Accepted(answer) = &outcome {
            let product = answer.id();
            self.trade = Trade::Drafted { product };
        }
        outcome
    }

    async fn list(&mut self, product: Uuid) -> Outcome {
        let path = format!("/v1/products/{product}");
        let command = Command::post(
            format!("{path}/list"),
            &self.owner,
            Value::Null,
            "product.listed",
            json!({"product_id": product}),
        );
        let outcome = self.client.execute(command).await;
        if matches!(outcome, Outcome::Accepted(_)) {
            self.trade = Trade::Listed { product };
            if self.decides_to_read() {
                let missing = |document: &Value| {
                    let status = &document["status"];
                    (status != "listed").then(|| format!("{status} after it was listed"))
                };
                self.client.read(&path, &self.owner, missing).await;
            }
        }
        outcome
    }

    async fn offer(&mut self, product: Uuid) -> Outcome {
        let is_shared = self.client.shared.market.is_new_auction_due();
        let (seconds, anti_sniping_window_s) = if is_shared {
            (SHARED_AUCTION_S, self.client.rng.random_range(0..=2))
        } else {
            (OWN_AUCTION_S, 0)
        };
        let mut body = json!({
            "product_id": product,
            "starting_price": eur(STARTING_PRICE),
            "minimum_increment": 1,
            "ends_at": now() + TimeDelta::seconds(seconds),
            "anti_sniping_window_s": anti_sniping_window_s,
        });
        if !is_shared {
            body["buy_now_price"] = BUY_NOW_PRICE.into();
        }
        let data = json!({"product_id": product});
        let path = "/v1/auctions".to_owned();
        let command = Command::post(path, &self.owner, body, "auction.scheduled", data);
        let outcome = self.client.execute(command).await;
        if let Outcome::Accepted(answer) = &outcome {
            let auction = answer.id();
            if is_shared {
                self.client.shared.market.share_auction(auction);
            } else {
                self.trade = Trade::Offered { auction };
            }
        }
        outcome
    }

    async fn buy(&mut self, auction: Uuid) -> Outcome {
        let path = format!("/v1/auctions/{auction}");
        let command = Command::post(
            format!("{path}/buy-now"),
            &self.buyer,
            Value::Null,
            "auction.bought_now",
            json!({"auction_id": auction, "price": eur(BUY_NOW_PRICE)}),
        );
        let outcome = self.client.execute(command).await;
        if matches!(outcome, Outcome::Accepted(_)) && self.decides_to_read() {
            let missing = |document: &Value| {
                let price = &document["outcome"]["price"];
                (*price != eur(BUY_NOW_PRICE)).then(|| format!("{price} after it was bought"))
            };
            self.client.read(&path, &self.buyer, missing).await;
        }
        outcome
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an auction ends by the clock, and a client has only its own"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}
