//! Every counter is seen red once: what it looks for is put before it, and nothing else.

use chrono::DateTime;
use serde_json::json;
use tidemark_events::market::{auction, category};
use tidemark_events::samples::euro_cents;
use tidemark_events::{Actor, AuctionId, CategoryId, Event, Metadata, ProductId, Recorded, UserId};
use uuid::Uuid;

use super::{journal, log};
use crate::journal::{Expected, Line};

const fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// An event of a log that follows no rules yet.
fn recorded(position: i64, version: i64, command: Uuid, event: &Event) -> Recorded {
    let metadata = Metadata {
        actor: Actor::Service("test".to_owned()),
        correlation_id: command,
        causation_id: None,
        traceparent: None,
    };
    let encoded = event.encode().unwrap();
    Recorded {
        position,
        event_id: id(position.try_into().unwrap()),
        stream_id: id(7),
        version,
        aggregate: event.aggregate().name().to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        data: encoded.data,
        metadata: serde_json::to_string(&metadata).unwrap(),
        recorded_at: DateTime::from_timestamp(1_000 + position, 0).unwrap(),
    }
}

/// The one stream's next event, caused by this command.
fn activated(position: i64, command: Uuid) -> Recorded {
    let event = category::Event::Activated {
        category_id: CategoryId(id(7)),
    };
    recorded(position, position, command, &event.into())
}

fn invoke(command: Uuid) -> Line {
    Line::Invoke {
        id: command,
        expect: Expected {
            event: "category.activated".to_owned(),
            data: json!({"category_id": id(7)}),
        },
    }
}

const fn ok(id: Uuid, position: i64) -> Line {
    Line::Ok {
        id,
        position,
        unknown: 0,
    }
}

/// How much I1, I2, I3 and I5 find.
fn count(lines: &[Line], log: &[Recorded]) -> [usize; 4] {
    let attempts = journal::Attempts::of(lines, log);
    [
        attempts.lost().len(),
        attempts.duplicated().len(),
        attempts.half_known().len(),
        attempts.reordered().len(),
    ]
}

#[test]
fn a_command_that_is_in_the_log_once_is_in_order() {
    let lines = [invoke(id(1)), ok(id(1), 1), invoke(id(2)), ok(id(2), 2)];
    let log = [activated(1, id(1)), activated(2, id(2))];
    assert_eq!(count(&lines, &log), [0, 0, 0, 0]);
}

#[test]
fn what_was_acked_and_is_not_there_is_lost() {
    assert_eq!(count(&[invoke(id(1)), ok(id(1), 1)], &[]), [1, 0, 0, 0]);
}

#[test]
fn what_is_there_twice_or_otherwise_is_found() {
    let lines = [invoke(id(1)), ok(id(1), 2)];
    let twice = [activated(1, id(1)), activated(2, id(1))];
    assert_eq!(count(&lines, &twice), [0, 1, 0, 0]);
    let event = category::Event::Activated {
        category_id: CategoryId(id(8)),
    };
    let other = [recorded(1, 1, id(1), &event.into())];
    assert_eq!(count(&lines, &other), [0, 1, 0, 0]);
}

#[test]
fn what_was_refused_and_is_there_is_found() {
    let refused = Line::Refused {
        id: id(1),
        status: 409,
        code: "conflict".to_owned(),
    };
    let log = [activated(1, id(1))];
    assert_eq!(count(&[invoke(id(1)), refused], &log), [0, 0, 1, 0]);
    let unknown = Line::Unknown { id: id(1) };
    assert_eq!(count(&[invoke(id(1)), unknown], &log), [0, 0, 0, 0]);
}

#[test]
fn a_later_command_with_an_earlier_position_is_found() {
    let lines = [invoke(id(1)), ok(id(1), 2), invoke(id(2)), ok(id(2), 1)];
    let log = [activated(1, id(2)), activated(2, id(1))];
    assert_eq!(count(&lines, &log), [0, 0, 0, 1]);
    // At the same time, either order is one.
    let lines = [invoke(id(1)), invoke(id(2)), ok(id(1), 2), ok(id(2), 1)];
    assert_eq!(count(&lines, &log), [0, 0, 0, 0]);
}

#[test]
fn gaps_and_times_that_go_back_are_found() {
    let whole = [activated(1, id(1)), activated(2, id(2))];
    assert!(log::gaps(&whole).is_empty());
    let gap = [activated(1, id(1)), activated(3, id(2))];
    assert_eq!(log::gaps(&gap).len(), 2);
    let mut back = whole;
    back[1].recorded_at = DateTime::UNIX_EPOCH;
    assert_eq!(log::gaps(&back).len(), 1);
}

#[test]
fn reads_that_miss_what_was_seen_are_found() {
    let read = |position, missing: Option<&str>| Line::Read {
        client: 0,
        at_least: 5,
        position,
        missing: missing.map(str::to_owned),
    };
    assert!(journal::stale_reads(&[read(5, None), read(9, None)]).is_empty());
    let stale = [read(4, None), read(5, Some("the bid"))];
    assert_eq!(journal::stale_reads(&stale).len(), 2);
}

#[test]
fn errors_are_excused_by_faults_alone() {
    let error = |at_ms, status, retry_after| Line::Error {
        at_ms,
        status,
        code: String::new(),
        retry_after,
    };
    let fault = || "f1".to_owned();
    let begins = |at_ms| Line::FaultBegins {
        at_ms,
        fault: fault(),
    };
    let ends = |at_ms| Line::FaultEnds {
        at_ms,
        fault: fault(),
    };
    let excused = [
        begins(10),
        error(20, 503, true),
        ends(30),
        error(40, 503, true),
    ];
    assert!(journal::errors(&excused).is_empty());
    let found = [
        error(1, 503, true),
        begins(10),
        error(20, 500, true),
        error(20, 503, false),
        ends(30),
        error(30_000, 503, true),
    ];
    assert_eq!(journal::errors(&found).len(), 4);
}

#[test]
fn auctions_against_their_rules_are_found() {
    use auction::Event::{BidPlaced, Closed, Scheduled};
    use auction::Outcome;
    let (auction_id, product_id) = (AuctionId(id(7)), ProductId(id(8)));
    let [seller_id, bidder_id] = [1, 2].map(|number| UserId(id(number)));
    let scheduled = Scheduled {
        auction_id,
        product_id,
        category_id: CategoryId(id(9)),
        seller_id,
        title: "Clock".to_owned(),
        starting_price: euro_cents(1),
        minimum_increment: 1,
        buy_now_price: None,
        reserve_id: None,
        starts_at: DateTime::from_timestamp(1_000, 0).unwrap(),
        ends_at: DateTime::from_timestamp(1_004, 0).unwrap(),
        anti_sniping_window_s: 0,
    };
    let bid = |amount| BidPlaced {
        auction_id,
        product_id,
        seller_id,
        bidder_id,
        amount: euro_cents(amount),
        reserve_met: true,
    };
    let closed = |outcome| Closed {
        auction_id,
        product_id,
        seller_id,
        outcome,
    };
    let sold = |amount| {
        closed(Outcome::Sold {
            winner_id: bidder_id,
            price: euro_cents(amount),
        })
    };
    let unfair = |events: [auction::Event; 4]| {
        let events = (1..).zip(events);
        let log: Vec<_> = events
            .map(|(position, event)| recorded(position, position, id(1), &event.into()))
            .collect();
        log::unfair(&log).len()
    };
    let begin = || scheduled.clone();
    assert_eq!(unfair([begin(), bid(1), bid(2), sold(2)]), 0);
    assert_eq!(
        unfair([begin(), bid(2), bid(2), sold(2)]),
        1,
        "no higher bid"
    );
    assert_eq!(
        unfair([begin(), bid(1), bid(2), sold(1)]),
        1,
        "another price"
    );
    assert_eq!(
        unfair([begin(), bid(1), sold(1), bid(2)]),
        2,
        "early, and a bid after"
    );
    let unsold = closed(Outcome::Unsold {});
    assert_eq!(
        unfair([begin(), bid(1), bid(2), unsold]),
        1,
        "there were bids"
    );
}
