//! Opens and closes auctions on time.
//!
//! Both actions of an auction follow from its scheduling. A bid that extends the auction needs no new
//! action: a close that comes too early is refused with the new end, and is sent again then.

use tidemark_events::Event;
use tidemark_events::market::auction;

use crate::process_manager::{Action, ProcessManager};

/// Opens and closes auctions on time.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "auction-timer",
    event_types: &["auction.scheduled"],
    commands: &["open_auction", "close_auction"],
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
            due_at: *starts_at,
            path: format!("/v1/auctions/{auction_id}/open"),
        },
        Action {
            name: "close".to_owned(),
            due_at: *ends_at,
            path: format!("/v1/auctions/{auction_id}/close"),
        },
    ]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::{AUCTION, at};

    use super::*;

    #[test]
    fn it_reacts_to_the_events_that_it_declares_and_to_no_others() {
        for event in samples::all() {
            let is_declared = event.encode().is_ok_and(|encoded| {
                PROCESS_MANAGER
                    .event_types
                    .contains(&encoded.event_type.as_str())
            });
            assert_eq!(!react(&event).is_empty(), is_declared, "{event:?}");
        }
    }

    #[test]
    fn an_auction_is_opened_at_its_start_and_closed_at_its_end() {
        let actions: Vec<_> = samples::all().iter().flat_map(react).collect();
        let open = Action {
            name: "open".to_owned(),
            due_at: at(0),
            path: format!("/v1/auctions/{AUCTION}/open"),
        };
        let close = Action {
            name: "close".to_owned(),
            due_at: at(3_600),
            path: format!("/v1/auctions/{AUCTION}/close"),
        };
        assert_eq!(actions, [open, close]);
    }
}
