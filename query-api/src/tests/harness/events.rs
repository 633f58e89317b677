//! The auction of the samples: its events and its row.

use tidemark_events::{Event, Recorded, samples};
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::{Auction, Row};
use uuid::Uuid;

/// An event as the log stores it. Its position is also its version, and the second at which it was
/// recorded.
pub(crate) fn recorded(position: i64, stream_id: Uuid, event: &Event) -> Recorded {
    Recorded {
        stream_id,
        ..samples::recorded(position, event)
    }
}

/// The events of the sample auction.
pub(crate) fn auction_events() -> Vec<Event> {
    let events = samples::all().into_iter();
    events
        .filter(|event| matches!(event, Event::Auction(_)))
        .collect()
}

/// The row of the sample auction just after it was scheduled, with this id.
pub(crate) fn auction(id: u128) -> Row {
    let recorded = recorded(1, samples::AUCTION.0, &auction_events()[0]);
    let input = Auction::EVENTS.fold_input(&recorded).unwrap().unwrap();
    let mut row = Auction::fold(samples::AUCTION.0, None, &input).unwrap();
    row.id.0 = Uuid::from_u128(id);
    row
}
