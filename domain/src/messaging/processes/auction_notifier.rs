//! Tells bidders and sellers what has become of their auctions, and those who watch one that it ends soon.
//!
//! Each watch has a timer of its own, so that nothing has to find those who watch an auction, however many they are. Whether
//! there is still something to tell is decided when the timer comes.

use serde_json::{Value, json};
use tidemark_events::market::auction;
use tidemark_events::market::auction::{Outcome, RunnerUp};
use tidemark_events::market::watch_list;
use tidemark_events::messaging::channels::Category;
use tidemark_events::{AuctionId, Event, Price, ProductId, Stored, UserId};

use crate::process_manager::{About, Action, Done, ProcessManager, What};

/// Has users notified of what happens in auctions.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "auction-notifier",
    event_types: &["auction.bid_placed", "auction.closed", "watch_list.added"],
    commands: &["raise_notification"],
    // Whoever was told, wants not to be, or need not be any more is not told again.
    fulfilled: &[
        "notification_raised",
        "notification_unwanted",
        "notification_moot",
    ],
    final_refusals: &[],
    react,
};

/// For so long a user who is outbid is not told, because who bids back at once need not be, and to tell of each bid would take as
/// many commands as there are bids.
const BIDS_SETTLE_IN_S: u32 = 3;

/// The auction that users are told of, and the bid or the price.
#[derive(Clone, Copy)]
struct Told {
    auction_id: AuctionId,
    product_id: ProductId,
    amount: Option<Stored<Price>>,
}

impl Told {
    /// Has this user told. The name tells the actions of one event apart.
    fn tell(self, name: String, user_id: UserId, category: Category) -> Action {
        Action {
            name,
            due_at: None,
            owner_id: None,
            about: None,
            what: What::Command {
                path: "/v1/notifications".to_owned(),
                body: Some(self.body(user_id, category)),
            },
        }
    }

    fn body(self, user_id: UserId, category: Category) -> Value {
        json!({
            "user_id": user_id,
            "category": category,
            "about": {
                "kind": "auction",
                "auction_id": self.auction_id,
                "product_id": self.product_id,
            },
            "amount": self.amount,
            "dedupe_key": self.auction_id.to_string(),
        })
    }
}

fn react(event: &Event) -> Vec<Action> {
    if let Event::Auction(event) = event {
        of_auction(event)
    } else if let Event::WatchList(event) = event {
        ends_soon(event).into_iter().collect()
    } else {
        Vec::new()
    }
}

/// Has a user told that an auction ends soon, when it does.
fn ends_soon(event: &watch_list::Event) -> Option<Action> {
    let watch_list::Event::Added {
        user_id,
        auction_id,
        product_id,
        remind_at: Some(remind_at),
        ..
    } = event
    else {
        return None;
    };
    let told = Told {
        auction_id: *auction_id,
        product_id: *product_id,
        amount: None,
    };
    Some(Action {
        due_at: Some(**remind_at),
        // Who watches, stops and watches again has one timer.
        owner_id: None,
        about: Some(About {
            what: format!("{auction_id} {user_id} ends soon"),
            done: Done::First { wait_s: 0 },
        }),
        ..told.tell("ends-soon".to_owned(), *user_id, Category::EndsSoon)
    })
}

fn of_auction(event: &auction::Event) -> Vec<Action> {
    if let auction::Event::BidPlaced {
        auction_id,
        product_id,
        amount,
        outbid_id: Some(outbid_id),
        ..
    } = event
    {
        let told = Told {
            auction_id: *auction_id,
            product_id: *product_id,
            amount: Some(*amount),
        };
        return vec![Action {
            owner_id: None,
            about: Some(About {
                what: format!("{auction_id} {outbid_id}"),
                done: Done::First {
                    wait_s: BIDS_SETTLE_IN_S,
                },
            }),
            ..told.tell("outbid".to_owned(), *outbid_id, Category::Outbid)
        }];
    }
    let auction::Event::Closed {
        auction_id,
        product_id,
        seller_id,
        outcome,
        runners_up,
    } = event
    else {
        return Vec::new();
    };
    let told = Told {
        auction_id: *auction_id,
        product_id: *product_id,
        amount: match outcome {
            Outcome::Sold { price, .. } => Some(*price),
            Outcome::Unsold {} | Outcome::ReserveNotMet {} => None,
        },
    };
    // The order in the fact is for ever, as names have to be.
    let not_won = |(place, it): (usize, &RunnerUp)| {
        told.tell(format!("not_won-{place}"), it.bidder_id, Category::NotWon)
    };
    let mut actions = parties(told, *seller_id, outcome);
    actions.extend((1..).zip(runners_up).map(not_won));
    actions
}

/// Has the seller told, and the winner if there is one.
fn parties(told: Told, seller_id: UserId, outcome: &Outcome) -> Vec<Action> {
    match outcome {
        Outcome::Sold { winner_id, .. } => vec![
            told.tell("won".to_owned(), *winner_id, Category::Won),
            told.tell("sold".to_owned(), seller_id, Category::Sold),
        ],
        Outcome::Unsold {} | Outcome::ReserveNotMet {} => {
            vec![told.tell("unsold".to_owned(), seller_id, Category::Unsold)]
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{AUCTION, BIDDER, PRODUCT, RIVAL, SELLER, at, euro_cents};

    use super::*;
    use crate::given::sample;

    /// The name of each action, who is told, and of what.
    fn told(event: &Event) -> Vec<(String, Value, Value)> {
        let actions = react(event).into_iter();
        let told = actions.map(|action| {
            let What::Command {
                path,
                body: Some(body),
            } = action.what
            else {
                panic!("a command with a body")
            };
            assert_eq!(path, "/v1/notifications");
            let is_later = action.name == "ends-soon";
            assert_eq!(action.due_at, is_later.then(|| at(2_700)));
            assert_eq!(body["about"]["auction_id"], json!(AUCTION));
            assert_eq!(body["dedupe_key"], json!(AUCTION));
            (
                action.name,
                body["user_id"].clone(),
                body["category"].clone(),
            )
        });
        told.collect()
    }

    fn of(name: &str, user_id: UserId, category: &str) -> (String, Value, Value) {
        (name.to_owned(), json!(user_id), json!(category))
    }

    #[test]
    fn whoever_is_outbid_is_told_and_nobody_else() {
        let outbid = told(&sample("auction.bid_placed"));
        assert_eq!(outbid, [of("outbid", RIVAL, "outbid")]);
        let first = auction::Event::BidPlaced {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            bidder_id: BIDDER,
            amount: euro_cents(10_000).into(),
            reserve_met: true,
            outbid_id: None,
        };
        assert_eq!(told(&first.into()), []);
    }

    #[test]
    fn each_watch_has_a_timer_of_its_own() {
        let watched = told(&sample("watch_list.added"));
        assert_eq!(watched, [of("ends-soon", BIDDER, "ends_soon")]);
    }

    #[test]
    fn the_end_is_told_to_the_seller_the_winner_and_those_who_lost() {
        let lost = || of("not_won-1", RIVAL, "not_won");
        let sold = [of("won", BIDDER, "won"), of("sold", SELLER, "sold"), lost()];
        assert_eq!(told(&sample("auction.closed")), sold);
        let closed = |outcome, runners_up| {
            let closed = auction::Event::Closed {
                auction_id: AUCTION,
                product_id: PRODUCT,
                seller_id: SELLER,
                outcome,
                runners_up,
            };
            told(&closed.into())
        };
        let unsold = || of("unsold", SELLER, "unsold");
        assert_eq!(closed(Outcome::Unsold {}, Vec::new()), [unsold()]);
        let rival = RunnerUp {
            bidder_id: RIVAL,
            amount: euro_cents(10_000).into(),
        };
        let not_met = closed(Outcome::ReserveNotMet {}, vec![rival]);
        assert_eq!(not_met, [unsold(), lost()]);
    }
}
