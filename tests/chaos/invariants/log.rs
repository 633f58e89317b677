//! The log against its own rules and those of auctions.

use std::collections::HashMap;

use chrono::TimeDelta;
use tidemark_events::market::auction;
use tidemark_events::market::auction::Outcome;
use tidemark_events::{AuctionId, Event, Price, Recorded, Stored, Timestamp, UserId};
use uuid::Uuid;

/// [`super::GAP_IN_LOG`]: positions that are not 1, 2, 3 …, versions that are not 1, 2, 3 … within
/// their streams, and `recorded_at` that goes back.
pub(crate) fn gaps(log: &[Recorded]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut last: Option<&Recorded> = None;
    for event in log {
        let here = format!("position {}", event.position);
        let last_position = last.map_or(0, |last| last.position);
        if event.position != last_position + 1 {
            violations.push(format!("{here} comes after position {last_position}"));
        }
        if last.is_some_and(|last| last.recorded_at > event.recorded_at) {
            violations.push(format!("{here} goes back in time"));
        }
        let version = versions.entry(event.stream_id).or_default();
        if event.version != *version + 1 {
            let (stream, here_version) = (event.stream_id, event.version);
            violations.push(format!(
                "{here} is version {here_version} of stream {stream}, after version {version}"
            ));
        }
        *version = event.version;
        last = Some(event);
    }
    violations
}

/// How old the decision on a bid may be when it is appended: `executor.decision_age_max_ms`.
const DECISION_AGE_MAX: TimeDelta = TimeDelta::seconds(2);

/// What the rules of an auction look at.
#[derive(Default)]
struct Auction {
    ends_at: Option<Timestamp>,
    highest: Option<(UserId, Stored<Price>)>,
    is_bought: bool,
    is_over: bool,
}

/// [`super::AUCTION_RULE_BROKEN`]: accepted bids that do not exceed the one before, or come after
/// the close, or too long after the end; winners who had not bid most; auctions that go on after
/// their end, or end too early; auctions that the log should have seen closed, and that were not.
pub(crate) fn broken_auction_rules(log: &[Recorded]) -> Vec<String> {
    let mut auctions: HashMap<AuctionId, Auction> = HashMap::new();
    let mut violations = Vec::new();
    for recorded in log.iter().filter(|event| event.aggregate == "auction") {
        let Event::Auction(event) = recorded.decode().unwrap() else {
            continue;
        };
        if let Some(violation) = apply(&mut auctions, &event, recorded.recorded_at) {
            violations.push(format!("position {}: {violation}", recorded.position));
        }
    }
    let end = log.last().map(|last| last.recorded_at);
    let unclosed = auctions
        .iter()
        .filter(|(_, auction)| !auction.is_over && auction.ends_at < end);
    violations.extend(unclosed.map(|(id, _)| format!("auction {id} was never closed")));
    violations
}

/// Applies an event to its auction, and says which rule it breaks.
fn apply(
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
    if auction.is_over {
        return Some(format!("auction {auction_id} goes on after its end"));
    }
    let is_violation = match event {
        Scheduled { ends_at, .. } | Extended { ends_at, .. } => {
            auction.ends_at = Some(**ends_at);
            false
        }
        Opened { .. } => false,
        BidPlaced {
            bidder_id, amount, ..
        } => {
            let highest = auction.highest.replace((*bidder_id, *amount));
            let too_low = highest.is_some_and(|(_, highest)| highest.amount >= amount.amount);
            too_low
                || auction
                    .ends_at
                    .is_none_or(|ends_at| at > ends_at + DECISION_AGE_MAX)
        }
        BoughtNow {
            buyer_id, price, ..
        } => {
            let highest = auction.highest.replace((*buyer_id, *price));
            auction.is_bought = true;
            highest.is_some()
        }
        Closed { outcome, .. } => {
            auction.is_over = true;
            let expected = auction
                .highest
                .map_or(Outcome::Unsold {}, |(winner_id, price)| Outcome::Sold {
                    winner_id,
                    price,
                });
            let is_early = !auction.is_bought && auction.ends_at.is_none_or(|ends_at| at < ends_at);
            *outcome != expected || is_early
        }
        Cancelled { .. } => {
            auction.is_over = true;
            auction.highest.is_some()
        }
    };
    is_violation.then(|| {
        let ends_at = auction.ends_at;
        format!("{event:?} is not allowed for an auction that ends at {ends_at:?}")
    })
}
