//! Opens and closes auctions on time.
//!
//! Both actions of an auction follow from its scheduling. A bid that extends the auction needs no new
//! action: a close that comes too early is refused with the new end, and is sent again then.

use tidemark_events::Event;
use tidemark_events::market::auction;

use crate::process_manager::{Action, ProcessManager, What};

/// Opens and closes auctions on time.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "auction-timer",
    event_types: &["auction.scheduled"],
    commands: &["open_auction", "close_auction"],
    // A bid that came before the timer has opened the auction.
    fulfilled: &["auction_already_open"],
    // The event proves that the auction exists: who answers `auction_not_found` has another log.
    final_refusals: &["auction_over"],
    react,
};

fn react(event: &Event) -> Vec<Action> {
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
            name: "open".to_owned(),
            due_at: Some(**starts_at),
            owner_id: None,
            about: None,
            what: What::command(format!("/v1/auctions/{auction_id}/open")),
        },
        Action {
            name: "close".to_owned(),
            due_at: Some(**ends_at),
            owner_id: None,
            about: None,
            what: What::command(format!("/v1/auctions/{auction_id}/close")),
        },
    ]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::{AUCTION, SELLER, at};

    use super::*;
    use crate::given::{Given, given, sample};
    use crate::market::auction::{Close, Open};
    use crate::{Refusal, Write};

    #[test]
    fn an_auction_is_opened_at_its_start_and_closed_at_its_end() {
        let actions: Vec<_> = samples::all().iter().flat_map(react).collect();
        let open = Action {
            name: "open".to_owned(),
            due_at: Some(at(0)),
            owner_id: None,
            about: None,
            what: What::command(format!("/v1/auctions/{AUCTION}/open")),
        };
        let close = Action {
            name: "close".to_owned(),
            due_at: Some(at(3_600)),
            owner_id: None,
            about: None,
            what: What::command(format!("/v1/auctions/{AUCTION}/close")),
        };
        assert_eq!(actions, [open, close]);
    }

    const OPEN: Open = Open {
        auction_id: AUCTION,
    };
    const CLOSE: Close = Close {
        auction_id: AUCTION,
    };

    /// The timer sends a command at the end of an auction to which this has happened.
    fn after<const N: usize>(event_types: [&str; N]) -> Given {
        given(event_types.map(sample)).at(at(3_600)).by_service()
    }

    /// Whether the command was refused in a way that ends its action.
    fn is_ended(decided: Result<Vec<Write>, Refusal>) -> bool {
        let refusal = decided.expect_err("the command is refused");
        PROCESS_MANAGER.final_refusals.contains(&refusal.code.name)
    }

    #[test]
    fn an_auction_that_a_bid_has_opened_needs_no_opening() {
        let opened = after(["auction.scheduled", "auction.opened"]);
        let refusal = opened.when(OPEN).expect_err("the command is refused");
        assert_eq!(PROCESS_MANAGER.fulfilled, [refusal.code.name]);
    }

    #[test]
    fn an_action_ends_once_its_command_can_never_act_any_more() {
        let opened = || after(["auction.scheduled", "auction.opened"]);
        let closed = || opened().and([sample("auction.closed")]);
        assert!(is_ended(closed().when(OPEN)));
        assert!(is_ended(closed().when(CLOSE)));
        let cancelled = after(["auction.scheduled", "auction.cancelled"]);
        assert!(is_ended(cancelled.when(CLOSE)));

        assert!(!is_ended(opened().at(at(3_599)).when(CLOSE)), "too early");
        assert!(!is_ended(opened().by(SELLER).when(CLOSE)), "wrong sender");
        assert!(!is_ended(after([]).when(CLOSE)), "another log");
    }
}
