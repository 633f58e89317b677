//! The log against itself.

use std::collections::HashMap;

use chrono::TimeDelta;
use tidemark_events::market::auction;
use tidemark_events::market::auction::Outcome;
use tidemark_events::{AuctionId, Event, Money, Recorded, Timestamp, UserId};
use uuid::Uuid;

/// I4: positions that are not 1, 2, 3 …, versions that are not within their streams, times that go
/// back.
pub(crate) fn gaps(log: &[Recorded]) -> Vec<String> {
    let mut found = Vec::new();
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut last: Option<&Recorded> = None;
    for event in log {
        let here = format!("position {}", event.position);
        if event.position != last.map_or(0, |last| last.position) + 1 {
            found.push(format!("{here} does not follow"));
        }
        if last.is_some_and(|last| last.recorded_at > event.recorded_at) {
            found.push(format!("{here} goes back in time"));
        }
        let version = versions.entry(event.stream_id).or_default();
        if event.version != *version + 1 {
            let (stream, version) = (event.stream_id, event.version);
            found.push(format!("{here} is version {version} of {stream}"));
        }
        *version = event.version;
        last = Some(event);
    }
    found
}

/// From the decision on a bid to its place in the log, at most: `executor.decision_age_max_ms`.
const DECIDED: TimeDelta = TimeDelta::seconds(2);

/// An auction as far as its rules go.
#[derive(Default)]
struct Auction {
    ends_at: Option<Timestamp>,
    highest: Option<(UserId, Money)>,
    bought: bool,
    over: bool,
}

/// I15: accepted bids that do not exceed the one before, or come after the close, or long after the
/// end; winners that had not bid the most; auctions that end twice, or too early; auctions that
/// should have been closed by the end of the log, and were not.
pub(crate) fn unfair(log: &[Recorded]) -> Vec<String> {
    let mut auctions: HashMap<AuctionId, Auction> = HashMap::new();
    let mut found = Vec::new();
    for recorded in log.iter().filter(|event| event.aggregate == "auction") {
        let Event::Auction(event) = recorded.decode().unwrap() else {
            continue;
        };
        if let Some(wrong) = follow(&mut auctions, &event, recorded.recorded_at) {
            found.push(format!("{wrong} at position {}", recorded.position));
        }
    }
    let end = log.last().map(|last| last.recorded_at);
    let forgotten = auctions
        .iter()
        .filter(|(_, auction)| !auction.over && auction.ends_at < end);
    found.extend(forgotten.map(|(id, _)| format!("auction {id} was never closed")));
    found
}

fn follow(
    auctions: &mut HashMap<AuctionId, Auction>,
    event: &auction::Event,
    at: Timestamp,
) -> Option<String> {
    use auction::Event::{BidPlaced, BoughtNow, Cancelled, Closed, Extended, Opened, Scheduled};
    let (Scheduled { auction_id, .. }
    | Opened { auction_id, .. }
    | BidPlaced { auction_id, .. }
    | Extended { auction_id, .. }
    | BoughtNow { auction_id, .. }
    | Closed { auction_id, .. }
    | Cancelled { auction_id, .. }) = event;
    let auction = auctions.entry(*auction_id).or_default();
    if auction.over {
        return Some(format!("auction {auction_id} goes on after its end"));
    }
    let wrong = match event {
        Scheduled { ends_at, .. } | Extended { ends_at, .. } => {
            auction.ends_at = Some(*ends_at);
            false
        }
        Opened { .. } => false,
        BidPlaced {
            bidder_id, amount, ..
        } => {
            let highest = auction.highest.replace((*bidder_id, *amount));
            let too_low = highest.is_some_and(|(_, highest)| highest.amount >= amount.amount);
            too_low || auction.ends_at.is_none_or(|ends_at| at > ends_at + DECIDED)
        }
        BoughtNow {
            buyer_id, price, ..
        } => {
            let highest = auction.highest.replace((*buyer_id, *price));
            auction.bought = true;
            highest.is_some()
        }
        Closed { outcome, .. } => {
            auction.over = true;
            let expected = auction
                .highest
                .map_or(Outcome::Unsold {}, |(winner_id, price)| Outcome::Sold {
                    winner_id,
                    price,
                });
            let early = !auction.bought && auction.ends_at.is_none_or(|ends_at| at < ends_at);
            *outcome != expected || early
        }
        Cancelled { .. } => {
            auction.over = true;
            auction.highest.is_some()
        }
    };
    wrong.then(|| format!("{event:?} (ends {:?}) is not allowed", auction.ends_at))
}
