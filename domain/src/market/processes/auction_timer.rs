//! Opens and closes auctions on time.
//!
//! Each auction gets its two actions when it is scheduled. A bid that extends it needs no new one:
//! closing too early is refused with the new end, and the sender tries again then.

use tidemark_events::market::auction;
use tidemark_events::{AuctionId, Event, Timestamp};

/// The name of the process, in action keys and checkpoints.
pub const NAME: &str = "auction-timer";

/// The facts it reacts to.
pub const EVENT_TYPES: &[&str] = &["auction.scheduled"];

/// What a timer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// [`auction::Open`](crate::market::auction::Open).
    Open(AuctionId),
    /// [`auction::Close`](crate::market::auction::Close).
    Close(AuctionId),
}

/// Something to send at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Tells the actions of one fact apart.
    pub target: &'static str,
    /// Not before this moment.
    pub due_at: Timestamp,
    /// What to send.
    pub command: Timer,
}

/// The actions that follow from a fact.
#[must_use]
pub fn react(event: &Event) -> Vec<Action> {
    let Event::Auction(auction::Event::Scheduled {
        auction_id,
        starts_at,
        ends_at,
        ..
    }) = event
    else {
        return Vec::new();
    };
    vec![
        Action {
            target: "open",
            due_at: *starts_at,
            command: Timer::Open(*auction_id),
        },
        Action {
            target: "close",
            due_at: *ends_at,
            command: Timer::Close(*auction_id),
        },
    ]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::{AUCTION, at};

    use super::*;

    #[test]
    fn it_reacts_to_what_it_declares_and_to_nothing_else() {
        for event in samples::all() {
            let declared = event
                .encode()
                .is_ok_and(|e| EVENT_TYPES.contains(&e.event_type.as_str()));
            assert_eq!(!react(&event).is_empty(), declared, "{event:?}");
        }
    }

    #[test]
    fn an_auction_is_opened_at_its_start_and_closed_at_its_end() {
        let actions: Vec<_> = samples::all().iter().flat_map(react).collect();
        let open = Action {
            target: "open",
            due_at: at(0),
            command: Timer::Open(AUCTION),
        };
        let close = Action {
            target: "close",
            due_at: at(3_600),
            command: Timer::Close(AUCTION),
        };
        assert_eq!(actions, [open, close]);
    }
}
