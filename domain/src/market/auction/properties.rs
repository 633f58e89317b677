//! What holds for every auction, whatever buyers, the seller and the timer do and when.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_events::market::auction::{Event, Outcome};
use tidemark_events::market::product;
use tidemark_events::samples::{BIDDER, PRODUCT, SELLER, at};
use tidemark_events::{Event as AnyEvent, Timestamp, UserId};

use super::tests::{BUY_NOW, CANCEL, CLOSE, OPEN, bid, scheduled};
use super::{Bid, DURATION_MAX};
use crate::Command;
use crate::given::{Given, RIVAL};
use crate::market::product::auction_claim;

/// The increment of the sample auction, in cents.
const INCREMENT: i64 = 500;
/// The reserve of the sample auction, in cents.
const RESERVE: i64 = 11_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(i64),
    Open,
    Close,
    Cancel,
    Bid(UserId, i64),
    BuyNow(UserId),
}

fn step() -> impl Strategy<Value = Step> {
    let user = || prop::sample::select(vec![BIDDER, RIVAL, SELLER]);
    prop_oneof![
        4 => prop_oneof![1..60i64, 60..900i64].prop_map(Step::Wait),
        1 => Just(Step::Open),
        2 => Just(Step::Close),
        1 => Just(Step::Cancel),
        8 => (user(), 0..90i64).prop_map(|(user, n)| Step::Bid(user, 9_000 + n * 250)),
        1 => user().prop_map(Step::BuyNow),
    ]
}

/// Executes a command that may be refused. `check` looks at the events of those that are not.
fn attempt(mut given: Given, command: impl Command) -> Given {
    let _ = given.execute(command);
    given
}

/// Takes the steps, starting a minute before the start of the auction, and closes it afterwards.
fn play(steps: Vec<Step>) -> Given {
    let mut now = at(-60);
    let mut given = scheduled();
    for step in steps {
        given = given.at(now);
        given = match step {
            Step::Wait(seconds) => {
                now += TimeDelta::seconds(seconds);
                given
            }
            Step::Open => attempt(given.by_service(), OPEN),
            Step::Close => attempt(given.by_service(), CLOSE),
            Step::Cancel => attempt(given.by(SELLER), CANCEL),
            Step::Bid(user, amount) => attempt(given.by(user), bid(amount)),
            Step::BuyNow(user) => attempt(given.by(user), BUY_NOW),
        };
    }
    attempt(given.at(now + DURATION_MAX).by_service(), CLOSE)
}

/// What the events say about the auction, computed apart from the code under test.
struct Seen {
    ends_at: Timestamp,
    highest: Option<Bid>,
    /// The best bid of each bidder.
    best: BTreeMap<UserId, i64>,
    bought: Option<Bid>,
    over: bool,
}

impl Seen {
    fn winner(&self) -> Option<Bid> {
        let reached = |bid: &Bid| bid.amount.amount >= RESERVE;
        self.bought.or(self.highest.filter(reached))
    }

    /// The best bids of all but the winner, the highest first.
    fn runners_up(&self) -> Vec<(i64, UserId)> {
        let winner = self.winner().map(|bid| bid.bidder_id);
        let lost = self.best.iter().filter(|(id, _)| Some(**id) != winner);
        let mut bids: Vec<_> = lost.map(|(id, amount)| (*amount, *id)).collect();
        bids.sort_unstable_by(|a, b| b.cmp(a));
        bids
    }

    fn outcome(&self) -> Outcome {
        match (self.winner(), self.highest) {
            (Some(bid), _) => Outcome::Sold {
                winner_id: bid.bidder_id,
                price: bid.amount,
            },
            (None, Some(_)) => Outcome::ReserveNotMet {},
            (None, None) => Outcome::Unsold {},
        }
    }

    fn take(&mut self, event: &Event, now: Timestamp) -> Result<(), TestCaseError> {
        prop_assert!(!self.over, "{event:?} after the end");
        match event {
            Event::Scheduled { .. } => {}
            Event::Opened { .. } => prop_assert!(now >= at(0), "opened early"),
            Event::BidPlaced {
                bidder_id,
                amount,
                reserve_met,
                outbid_id,
                ..
            } => {
                let rises = |bid: Bid| bid.amount.amount + INCREMENT;
                prop_assert_ne!(*bidder_id, SELLER);
                prop_assert!((at(0)..self.ends_at).contains(&now), "outside the time");
                prop_assert!(amount.amount >= self.highest.map_or(10_000, rises));
                prop_assert_eq!(*reserve_met, amount.amount >= RESERVE);
                let leader = self.highest.map(|bid| bid.bidder_id);
                prop_assert_eq!(*outbid_id, leader.filter(|it| it != bidder_id));
                self.highest = Some(Bid {
                    bidder_id: *bidder_id,
                    amount: *amount,
                });
                self.best.insert(*bidder_id, amount.amount);
            }
            Event::Extended { ends_at, .. } => {
                prop_assert!(**ends_at > self.ends_at, "the end never moves back");
                self.ends_at = **ends_at;
            }
            Event::BoughtNow {
                buyer_id, price, ..
            } => {
                prop_assert!(self.highest.is_none(), "bought over a bid");
                self.bought = Some(Bid {
                    bidder_id: *buyer_id,
                    amount: *price,
                });
            }
            Event::Closed {
                outcome,
                runners_up,
                ..
            } => {
                prop_assert!(self.bought.is_some() || now >= self.ends_at, "closed early");
                prop_assert_eq!(*outcome, self.outcome());
                let named = runners_up.iter().map(|it| (it.amount.amount, it.bidder_id));
                prop_assert_eq!(named.collect::<Vec<_>>(), self.runners_up());
                self.over = true;
            }
            Event::Cancelled { .. } => {
                prop_assert!(self.highest.is_none(), "cancelled over a bid");
                self.over = true;
            }
        }
        Ok(())
    }
}

fn check(given: &Given) -> Result<(), TestCaseError> {
    let mut seen = Seen {
        ends_at: at(3_600),
        highest: None,
        best: BTreeMap::new(),
        bought: None,
        over: false,
    };
    let mut sales = 0;
    for (_, event, now) in &given.log {
        if let AnyEvent::Auction(event) = event {
            seen.take(event, *now)?;
        }
        if let AnyEvent::Product(product::Event::Sold { .. }) = event {
            sales += 1;
        }
    }
    prop_assert!(seen.over, "every auction ends");
    prop_assert_eq!(sales, i32::from(seen.winner().is_some()));
    // The harness would have failed if the claim had been released twice.
    prop_assert!(!given.claims.contains_key(&auction_claim(PRODUCT)));
    Ok(())
}

proptest! {
    #[test]
    fn every_auction_is_fair_and_ends(steps in vec(step(), 0..60)) {
        check(&play(steps))?;
    }
}
