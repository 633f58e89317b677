//! The commands by which auctions begin. All of them are on streams that are new.

use std::collections::BTreeMap;

use tidemark_command_api::executor::Submission;
use tidemark_domain::market::auction::Schedule;
use tidemark_domain::market::product::{Draft, List};
use tidemark_events::market::product::Condition;
use tidemark_events::samples::{amount, euro_cents, stated};
use tidemark_events::{AuctionId, ProductId};
use uuid::Uuid;

use super::Market;
use super::market::{STARTING_PRICE, submission};

/// Commands that open one auction.
const COMMANDS: usize = 3;
/// More than a client opens.
const AUCTIONS_OF_CLIENT: usize = 1 << 32;

impl Market {
    /// The next command of a client that opens auctions: it drafts a product, lists it, or schedules its
    /// auction.
    pub(crate) fn open(&self, client: usize, sent: usize) -> Submission {
        let number = client * AUCTIONS_OF_CLIENT + sent / COMMANDS;
        let number = u128::try_from(number).unwrap();
        // The ids are in the order of time, as those of the API are.
        let id = |noun: u128| Uuid::from_u128(self.seller.0.as_u128() + 2 * number + noun);
        let (product_id, auction_id) = (ProductId(id(1)), AuctionId(id(2)));
        match sent % COMMANDS {
            0 => {
                let draft = Draft {
                    product_id,
                    category_id: self.category,
                    title: stated("Field camera"),
                    description: stated("Brass and leather"),
                    condition: Condition::Good,
                    images: Vec::new(),
                    specifications: BTreeMap::new(),
                    shipping: None,
                };
                submission(self.seller, product_id.0, draft)
            }
            1 => submission(self.seller, product_id.0, List { product_id }),
            _ => {
                let schedule = Schedule {
                    auction_id,
                    product_id,
                    reserve: None,
                    starting_price: euro_cents(STARTING_PRICE),
                    minimum_increment: amount(1),
                    buy_now_price: None,
                    starts_at: None,
                    ends_at: self.ends_at,
                    anti_sniping_window_s: 0,
                    extension_max: chrono::TimeDelta::zero(),
                };
                submission(self.seller, auction_id.0, schedule)
            }
        }
    }
}
