//! Bids on the auctions that all clients share.

use rand::RngExt;
use serde_json::{Value, json};
use tidemark_tests::market::eur;

use super::Participant;
use crate::load::client::{Command, Outcome};
use crate::load::market::SHARED_AUCTIONS;

impl Participant {
    pub(super) async fn bid(&mut self) -> Outcome {
        let number = self.client.rng.random_range(..SHARED_AUCTIONS);
        let Some(auction) = self.client.shared.market.shared_auction(number) else {
            return self.trade().await;
        };
        let price = eur(auction.next_price());
        let path = format!("/v1/auctions/{}", auction.id);
        let command = Command::post(
            format!("{path}/bids"),
            &self.buyer,
            json!({"amount": price}),
            "auction.bid_placed",
            json!({"auction_id": auction.id, "amount": price}),
        );
        let outcome = self.client.execute(command).await;
        if matches!(outcome, Outcome::Accepted(_)) && self.decides_to_read() {
            let missing = |document: &Value| {
                let current = document["current_price"]["amount"].as_i64();
                let bid = price["amount"].as_i64();
                (current < bid).then(|| format!("price {current:?} after a bid of {bid:?}"))
            };
            self.client.read(&path, &self.buyer, missing).await;
        }
        outcome
    }
}
