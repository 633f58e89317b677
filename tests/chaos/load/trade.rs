//! Trades of a client's own: a product is drafted, listed, offered, and bought at once; or offered for
//! a few seconds to all who bid.

use chrono::{TimeDelta, Utc};
use rand::RngExt;
use serde_json::{Value, json};
use tidemark_tests::market::{eur, product};
use uuid::Uuid;

use super::client::{Client, Told};
use super::market::STARTING_PRICE;

/// How long an auction lasts that all bid on.
const HOT_S: i64 = 10;
/// Of one that nobody bids on but who buys it at once.
const COLD_S: i64 = 3_600;
const PRICE: i64 = 9_000;

/// How far a trade is.
#[derive(Debug)]
pub(super) enum Trade {
    Nothing,
    Drafted(Uuid),
    Listed(Uuid),
    Offered(Uuid),
}

impl Client {
    /// The next step of a trade.
    pub(super) async fn step(&mut self) -> Told {
        match std::mem::replace(&mut self.trade, Trade::Nothing) {
            Trade::Nothing => self.draft().await,
            Trade::Drafted(product) => self.list(product).await,
            Trade::Listed(product) => self.offer(product).await,
            Trade::Offered(auction) => self.buy(auction).await,
        }
    }

    async fn draft(&mut self) -> Told {
        // Only what is active takes products; it is a matter of chance whether it is.
        let mut body = product(self.people.category);
        body["title"] = format!("Chronometer {}", self.shared.market.name()).into();
        let (owner, data) = (self.owner.clone(), json!({"title": body["title"]}));
        let order = Self::post(
            "/v1/products".to_owned(),
            &owner,
            body,
            "product.drafted",
            data,
        );
        let told = self.command(order).await;
        if let Told::Ok(answer) = &told {
            self.trade = Trade::Drafted(answer.id());
        }
        told
    }

    async fn list(&mut self, product: Uuid) -> Told {
        let (path, owner) = (format!("/v1/products/{product}"), self.owner.clone());
        let data = json!({"product_id": product});
        let step = format!("{path}/list");
        let order = Self::post(step, &owner, Value::Null, "product.listed", data);
        let told = self.command(order).await;
        if matches!(told, Told::Ok(_)) {
            self.trade = Trade::Listed(product);
            if self.reads() {
                let lacks = |doc: &Value| {
                    (doc["status"] != "listed")
                        .then(|| format!("{} after it was listed", doc["status"]))
                };
                self.read(&path, &owner, lacks).await;
            }
        }
        told
    }

    async fn offer(&mut self, product: Uuid) -> Told {
        let is_hot = self.shared.market.wants_another();
        let (seconds, window) = if is_hot {
            (HOT_S, self.rng.random_range(0..=2))
        } else {
            (COLD_S, 0)
        };
        let ends_at = now() + TimeDelta::seconds(seconds);
        let mut body = json!({
            "product_id": product,
            "starting_price": eur(STARTING_PRICE),
            "minimum_increment": 1,
            "ends_at": ends_at,
            "anti_sniping_window_s": window,
        });
        if !is_hot {
            body["buy_now_price"] = PRICE.into();
        }
        let (owner, data) = (self.owner.clone(), json!({"product_id": product}));
        let order = Self::post(
            "/v1/auctions".to_owned(),
            &owner,
            body,
            "auction.scheduled",
            data,
        );
        let told = self.command(order).await;
        match &told {
            Told::Ok(answer) if is_hot => self.shared.market.put(answer.id()),
            Told::Ok(answer) => self.trade = Trade::Offered(answer.id()),
            Told::Refused(_) | Told::Unknown => {}
        }
        told
    }

    async fn buy(&mut self, auction: Uuid) -> Told {
        let (path, buyer) = (format!("/v1/auctions/{auction}"), self.buyer.clone());
        let data = json!({"auction_id": auction, "price": eur(PRICE)});
        let step = format!("{path}/buy-now");
        let order = Self::post(step, &buyer, Value::Null, "auction.bought_now", data);
        let told = self.command(order).await;
        if matches!(told, Told::Ok(_)) && self.reads() {
            let lacks = |doc: &Value| {
                let price = &doc["outcome"]["price"];
                (*price != eur(PRICE)).then(|| format!("{price} after it was bought"))
            };
            self.read(&path, &buyer, lacks).await;
        }
        told
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an auction ends by the clock, and a client has no other"
)]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}
