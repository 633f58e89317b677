//! What a client does, one command at a time: it changes its category by expected versions, bids on
//! the shared auctions, trades products of its own, and logs in and out.

mod bid;
mod category;
mod session;
mod trade;

use std::time::Instant;

use rand::RngExt;
use tokio::time::sleep;

use super::client::{Client, Outcome};
use super::market::People;
use category::Category;
use session::Session;
use trade::Trade;

/// Of a hundred commands, how many change a category.
const CATEGORY_SHARE: u32 = 61;
/// Of a hundred commands, how many bid on a shared auction.
const BID_SHARE: u32 = 16;
/// Of a hundred commands, how many register somebody.
const REGISTRATION_SHARE: u32 = 1;
/// Of a hundred commands, how many are steps of a trade. The rest are log-ins and log-outs.
const TRADE_SHARE: u32 = 11;
/// Of a hundred commands, how many are followed by a query for what they wrote.
const READ_SHARE: u32 = 40;

/// A client, the users that it acts as, and what it knows of its own things.
pub(super) struct Participant {
    client: Client,
    people: People,
    /// The access tokens of the client's two users.
    owner: String,
    buyer: String,
    category: Category,
    trade: Trade,
    session: Session,
}

impl Participant {
    /// A participant that has done nothing yet.
    pub(super) fn new(client: Client, people: People) -> Self {
        Self {
            client,
            people,
            owner: String::new(),
            buyer: String::new(),
            category: Category::default(),
            trade: Trade::None,
            session: Session::LoggedOut,
        }
    }

    /// Sends commands until the load is stopped, and finishes the last one.
    pub(super) async fn work(mut self) {
        self.log_in().await;
        let interval = self.client.shared.send_interval;
        let mut next = Instant::now();
        while !self.client.shared.stop.is_cancelled() {
            self.act().await;
            next += interval;
            // After an outage there is no burst of all commands that were not sent meanwhile.
            let earliest = Instant::now().checked_sub(interval);
            next = next.max(earliest.unwrap_or(next));
            sleep(next.saturating_duration_since(Instant::now())).await;
        }
    }

    /// Gets new access tokens for the client's two users.
    async fn log_in(&mut self) {
        self.owner = self.client.log_in(&self.people.owner).await;
        self.buyer = self.client.log_in(&self.people.buyer).await;
        let market = &self.client.shared.market;
        market.share_buyer_token(self.client.number, &self.buyer);
    }

    /// Sends one command, and perhaps a query for what it wrote.
    async fn act(&mut self) {
        let dice = self.client.rng.random_range(..100_u32);
        let outcome = if dice < CATEGORY_SHARE {
            self.change_category().await
        } else if dice < CATEGORY_SHARE + BID_SHARE {
            self.bid().await
        } else if dice < CATEGORY_SHARE + BID_SHARE + TRADE_SHARE {
            self.trade().await
        } else if dice < CATEGORY_SHARE + BID_SHARE + TRADE_SHARE + REGISTRATION_SHARE {
            self.register_somebody().await
        } else {
            self.log_in_or_out().await
        };
        // The access token has expired, or the key that signed it is gone.
        if matches!(outcome, Outcome::Refused(answer) if answer.status == 401) {
            self.log_in().await;
        }
    }

    /// Decides whether a command is followed by a query.
    fn decides_to_read(&mut self) -> bool {
        self.client.rng.random_range(..100_u32) < READ_SHARE
    }
}
