//! What a client does, one command at a time: keeps its category by expected versions, bids where all
//! bid, trades products of its own, comes and goes.

use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::market::eur;

use super::client::{Client, Order, Told};
use super::market::credentials;
use crate::journal::Expected;

/// Of a hundred commands: appends to one stream with its expected version, bids on the auctions that
/// all bid on, steps of a trade; the rest are sessions.
const KEEPING: u32 = 62;
const BIDDING: u32 = 16;
const TRADING: u32 = 11;
/// Of a hundred accepted commands, so many are followed by a read of what they wrote.
const READING: u32 = 40;
/// What a client knows of its category.
#[derive(Debug)]
pub(super) struct Keeper {
    version: i64,
    active: bool,
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            version: 1,
            active: true,
        }
    }
}

/// Somebody who logs in and out.
#[derive(Debug)]
pub(super) enum Guest {
    Away,
    Here {
        session: String,
        access_token: String,
        refresh_token: String,
    },
}

impl Client {
    /// Sends one command, and perhaps reads what it wrote.
    pub(super) async fn act(&mut self) {
        let dice = self.rng.random_range(..100_u32);
        let told = if dice < KEEPING {
            self.keep().await
        } else if dice < KEEPING + BIDDING {
            self.bid().await
        } else if dice < KEEPING + BIDDING + TRADING {
            self.step().await
        } else {
            self.come_or_go().await
        };
        // A token ends, or the key that signed it.
        if matches!(told, Told::Refused(answer) if answer.status == 401) {
            self.log_in().await;
        }
    }

    /// Whether to read what was just written.
    pub(super) fn reads(&mut self) -> bool {
        self.rng.random_range(..100_u32) < READING
    }

    pub(super) fn post(path: String, token: &str, body: Value, event: &str, data: Value) -> Order {
        Order {
            method: Method::POST,
            path,
            body,
            token: token.to_owned(),
            if_match: None,
            keyed: true,
            expect: Expected {
                event: event.to_owned(),
                data,
            },
        }
    }

    async fn keep(&mut self) -> Told {
        let (id, owner) = (self.people.category, self.owner.clone());
        let (step, event) = if self.keeper.active {
            ("deactivate", "category.deactivated")
        } else {
            ("activate", "category.activated")
        };
        let path = format!("/v1/categories/{id}/{step}");
        let mut order = Self::post(path, &owner, Value::Null, event, json!({"category_id": id}));
        order.if_match = Some(self.keeper.version);
        let told = self.command(order).await;
        if let Told::Ok(answer) = &told {
            self.keeper.version = answer.version();
            self.keeper.active = !self.keeper.active;
        } else if !matches!(&told, Told::Refused(answer) if answer.status == 401) {
            self.look_at_category().await;
        }
        if self.reads() {
            let expected = json!([self.keeper.version, self.keeper.active]);
            let found = |doc: &Value| json!([doc["version"], doc["active"]]);
            let lacks = |doc: &Value| {
                let found = found(doc);
                (found != expected).then(|| format!("{found} for {expected}"))
            };
            self.read(&format!("/v1/categories/{id}"), &owner, lacks)
                .await;
        }
        told
    }

    /// After an outcome that it does not know.
    async fn look_at_category(&mut self) {
        let path = format!("/v1/categories/{}", self.people.category);
        let mut found = None;
        let keep = |doc: &Value| {
            found = Some((
                doc["version"].as_i64().unwrap(),
                doc["active"].as_bool().unwrap(),
            ));
            None
        };
        self.read(&path, &self.owner.clone(), keep).await;
        if let Some((version, active)) = found {
            self.keeper = Keeper { version, active };
        }
    }

    async fn bid(&mut self) -> Told {
        let number = self.rng.random_range(..super::market::HOT);
        let Some(hot) = self.shared.market.hot(number) else {
            return self.step().await;
        };
        let (buyer, price) = (self.buyer.clone(), eur(hot.bid()));
        let path = format!("/v1/auctions/{}", hot.id);
        let data = json!({"auction_id": hot.id, "amount": price});
        let body = json!({"amount": price});
        let order = Self::post(
            format!("{path}/bids"),
            &buyer,
            body,
            "auction.bid_placed",
            data,
        );
        let told = self.command(order).await;
        if matches!(told, Told::Ok(_)) && self.reads() {
            let lacks = |doc: &Value| {
                let current = doc["current_price"]["amount"].as_i64();
                let least = price["amount"].as_i64();
                (current < least).then(|| format!("price {current:?} after a bid of {least:?}"))
            };
            self.read(&path, &buyer, lacks).await;
        }
        told
    }

    async fn come_or_go(&mut self) -> Told {
        let guest = std::mem::replace(&mut self.guest, Guest::Away);
        let Guest::Here {
            session,
            access_token,
            refresh_token,
        } = guest
        else {
            let body = credentials(&self.people.buyer);
            let order = Self::post(
                "/v1/sessions".to_owned(),
                "",
                body,
                "session.opened",
                json!({}),
            );
            return self.enter(order).await;
        };
        if self.rng.random_bool(0.5) {
            let (path, body) = (
                "/v1/sessions/refresh",
                json!({"refresh_token": refresh_token}),
            );
            let data = json!({"session_id": session});
            let order = Self::post(path.to_owned(), "", body, "session.refreshed", data);
            return self.enter(order).await;
        }
        let path = format!("/v1/sessions/{session}");
        let data = json!({"session_id": session});
        let mut order = Self::post(path, &access_token, Value::Null, "session.ended", data);
        order.method = Method::DELETE;
        self.command(order).await
    }

    /// Sends a command that answers secrets, and so takes no key.
    async fn enter(&mut self, mut order: Order) -> Told {
        order.keyed = false;
        let told = self.command(order).await;
        if let Told::Ok(answer) = &told {
            let text = |member: &str| answer.body[member].as_str().unwrap().to_owned();
            self.guest = Guest::Here {
                session: text("session_id"),
                access_token: text("access_token"),
                refresh_token: text("refresh_token"),
            };
        }
        told
    }
}
