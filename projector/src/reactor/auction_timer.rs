//! How the timers of auctions reach the command API.

use tidemark_domain::market::processes::auction_timer;
use tidemark_domain::market::processes::auction_timer::Timer;
use tidemark_events::Event;

use super::{Planned, Process};

/// Opens and closes auctions on time.
pub(super) const PROCESS: Process = Process {
    name: auction_timer::NAME,
    event_types: auction_timer::EVENT_TYPES,
    react,
};

fn react(event: &Event) -> Vec<Planned> {
    let planned = auction_timer::react(event).into_iter();
    planned
        .map(|action| Planned {
            target: action.target,
            due_at: action.due_at,
            path: match action.command {
                Timer::Open(id) => format!("/v1/auctions/{id}/open"),
                Timer::Close(id) => format!("/v1/auctions/{id}/close"),
            },
        })
        .collect()
}
