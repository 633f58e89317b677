//! Each check sees the violation that it is for, and accepts a log without one.

mod pictures;
mod tasks;

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::json;
use tidemark_events::market::{auction, category};
use tidemark_events::samples;
use tidemark_events::samples::{MESSAGE, amount, euro_cents, stored};
use tidemark_events::{
    Actor, AuctionId, CategoryId, Event, Metadata, Moment, ProductId, Recorded, UserId,
};
use uuid::Uuid;

use super::commands::SentCommands;
use super::{commands, log, messages};
use crate::journal::{Entry, ExpectedEvent};

const fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// An event at any place of the log; a test makes the log right or wrong.
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

/// The next event of the only stream, caused by this command.
fn activated(position: i64, command: Uuid) -> Recorded {
    let event = category::Event::Activated {
        category_id: CategoryId(id(7)),
    };
    recorded(position, position, command, &event.into())
}

fn sent(command: Uuid) -> Entry {
    Entry::Sent {
        id: command,
        expected: ExpectedEvent {
            event_type: "category.activated".to_owned(),
            data: json!({"category_id": id(7)}),
        },
    }
}

const fn accepted(id: Uuid, position: i64) -> Entry {
    Entry::Accepted {
        id,
        position,
        unknown_attempts: 0,
    }
}

/// How many commands are lost; duplicated or altered; refused and stored; out of order.
fn count(journal: &[Entry], log: &[Recorded]) -> [usize; 4] {
    let commands = SentCommands::of(journal, log);
    [
        commands.lost().len(),
        commands.duplicated_or_altered().len(),
        commands.refused_and_stored().len(),
        commands.out_of_order().len(),
    ]
}

#[test]
fn a_command_that_is_in_the_log_once_violates_nothing() {
    let journal = [
        sent(id(1)),
        accepted(id(1), 1),
        sent(id(2)),
        accepted(id(2), 2),
    ];
    let log = [activated(1, id(1)), activated(2, id(2))];
    assert_eq!(count(&journal, &log), [0, 0, 0, 0]);
}

#[test]
fn an_accepted_command_without_an_event_is_lost() {
    assert_eq!(count(&[sent(id(1)), accepted(id(1), 1)], &[]), [1, 0, 0, 0]);
}

#[test]
fn events_that_are_duplicated_or_altered_are_found() {
    let journal = [sent(id(1)), accepted(id(1), 2)];
    let twice = [activated(1, id(1)), activated(2, id(1))];
    assert_eq!(count(&journal, &twice), [0, 1, 0, 0]);
    let event = category::Event::Activated {
        category_id: CategoryId(id(8)),
    };
    let other = [recorded(1, 1, id(1), &event.into())];
    assert_eq!(count(&journal, &other), [0, 1, 0, 0]);
}

#[test]
fn a_refused_command_with_an_event_is_found() {
    let refused = Entry::Refused {
        id: id(1),
        status: 409,
        code: "conflict".to_owned(),
    };
    let log = [activated(1, id(1))];
    assert_eq!(count(&[sent(id(1)), refused], &log), [0, 0, 1, 0]);
    let unknown = Entry::Unknown { id: id(1) };
    assert_eq!(count(&[sent(id(1)), unknown], &log), [0, 0, 0, 0]);
}

#[test]
fn a_later_command_with_an_earlier_position_is_out_of_order() {
    let journal = [
        sent(id(1)),
        accepted(id(1), 2),
        sent(id(2)),
        accepted(id(2), 1),
    ];
    let log = [activated(1, id(2)), activated(2, id(1))];
    assert_eq!(count(&journal, &log), [0, 0, 0, 1]);
    // Of two commands that are under way at the same time either may come first.
    let journal = [
        sent(id(1)),
        sent(id(2)),
        accepted(id(1), 2),
        accepted(id(2), 1),
    ];
    assert_eq!(count(&journal, &log), [0, 0, 0, 0]);
}

#[test]
fn only_what_was_beyond_the_end_of_a_log_that_was_set_back_may_be_lost() {
    let journal = [
        sent(id(1)),
        accepted(id(1), 1),
        sent(id(2)),
        accepted(id(2), 2),
        sent(id(3)),
        Entry::LogSetBack { head: 1 },
        accepted(id(3), 2),
        sent(id(4)),
        accepted(id(4), 3),
    ];
    let log = [
        activated(1, id(1)),
        activated(2, id(3)),
        activated(3, id(4)),
    ];
    assert_eq!(count(&journal, &log), [0, 0, 0, 0]);
    assert_eq!(count(&journal, &log[..2]), [1, 0, 0, 0]);
    assert_eq!(count(&journal, &log[1..]), [1, 0, 0, 0]);
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
fn reads_older_than_their_token_are_stale() {
    let read = |position, missing: Option<&str>| Entry::Read {
        client: 0,
        at_least: 5,
        position,
        missing: missing.map(str::to_owned),
    };
    assert!(commands::stale_reads(&[read(5, None), read(9, None)]).is_empty());
    let stale = [read(4, None), read(5, Some("the bid"))];
    assert_eq!(commands::stale_reads(&stale).len(), 2);
}

#[test]
fn only_faults_excuse_errors() {
    let error = |at_ms, status, retry_after| Entry::ServerError {
        at_ms,
        status,
        code: String::new(),
        retry_after,
    };
    let fault = || "kill-relay".to_owned();
    let begins = |at_ms| Entry::FaultBegins {
        at_ms,
        fault: fault(),
    };
    let ends = |at_ms| Entry::FaultEnds {
        at_ms,
        fault: fault(),
    };
    let excused = [
        begins(10),
        error(20, 503, true),
        ends(30),
        error(40, 503, true),
    ];
    assert!(commands::unexpected_errors(&excused).is_empty());
    let found = [
        error(1, 503, true),
        begins(10),
        error(20, 500, true),
        error(20, 503, false),
        ends(30),
        error(30_000, 503, true),
    ];
    assert_eq!(commands::unexpected_errors(&found).len(), 4);
}

#[test]
fn events_against_the_rules_of_auctions_are_found() {
    use auction::Event::{BidPlaced, Closed, Scheduled};
    use auction::Outcome;
    let (auction_id, product_id) = (AuctionId(id(7)), ProductId(id(8)));
    let [seller_id, bidder_id] = [1, 2].map(|number| UserId(id(number)));
    let moment = |second| Moment::nearest(DateTime::from_timestamp(second, 0).unwrap()).into();
    let scheduled = Scheduled {
        auction_id,
        product_id,
        category_id: CategoryId(id(9)),
        seller_id,
        title: stored("Clock"),
        starting_price: euro_cents(1).into(),
        minimum_increment: amount(1).into(),
        buy_now_price: None,
        reserve_id: None,
        starts_at: moment(1_000),
        ends_at: moment(1_004),
        anti_sniping_window_s: 0,
        latest_end_at: None,
    };
    let bid = |amount| BidPlaced {
        auction_id,
        product_id,
        seller_id,
        bidder_id,
        amount: euro_cents(amount).into(),
        reserve_met: true,
        outbid_id: None,
    };
    let closed = |outcome| Closed {
        auction_id,
        product_id,
        seller_id,
        outcome,
        runners_up: Vec::new(),
    };
    let sold = |amount| {
        closed(Outcome::Sold {
            winner_id: bidder_id,
            price: euro_cents(amount).into(),
        })
    };
    let violations = |events: [auction::Event; 4]| {
        let events = (1..).zip(events);
        let log: Vec<_> = events
            .map(|(position, event)| recorded(position, position, id(1), &event.into()))
            .collect();
        log::broken_auction_rules(&log).len()
    };
    let begin = || scheduled.clone();
    assert_eq!(violations([begin(), bid(1), bid(2), sold(2)]), 0);
    assert_eq!(
        violations([begin(), bid(2), bid(2), sold(2)]),
        1,
        "a bid that is not higher"
    );
    assert_eq!(
        violations([begin(), bid(1), bid(2), sold(1)]),
        1,
        "not the highest bid's price"
    );
    assert_eq!(
        violations([begin(), bid(1), sold(1), bid(2)]),
        2,
        "an early close, and a bid after it"
    );
    let unsold = closed(Outcome::Unsold {});
    assert_eq!(
        violations([begin(), bid(1), bid(2), unsold]),
        1,
        "unsold although there were bids"
    );
}

#[test]
fn mails_that_are_lost_or_repeated_are_found() {
    let samples = samples::all();
    let sample = |of_type: &str| {
        let found = samples
            .iter()
            .find(|it| it.encode().unwrap().event_type == of_type);
        found.unwrap().clone()
    };
    let [registered, requested, ended] =
        ["user.registered", "message.requested", "message.ended"].map(sample);
    let mut asked = recorded(2, 2, id(8), &requested);
    asked.metadata = caused_by(1);
    let log = vec![
        recorded(1, 1, id(7), &registered),
        asked.clone(),
        recorded(3, 3, id(9), &ended),
    ];
    let arrived = |times| BTreeMap::from([(MESSAGE.0, times)]);
    let fault = Entry::FaultBegins {
        at_ms: 0,
        fault: "kill-projector".to_owned(),
    };
    let found = |faults: usize, log: &[Recorded], mails| {
        let journal = vec![fault.clone(); faults];
        messages::lost_or_repeated(&journal, log, &mails).len()
    };
    assert_eq!(found(0, &log, arrived(1)), 0);
    assert_eq!(found(0, &log, BTreeMap::new()), 1, "it did not arrive");
    assert_eq!(found(1, &log, arrived(2)), 0, "a crash explains that");
    assert_eq!(found(1, &log, arrived(3)), 1, "one crash does not");
    assert_eq!(found(0, &log[..2], arrived(1)), 1, "it has not ended");

    let again = [&log[..], &[asked]].concat();
    assert_eq!(found(0, &again, arrived(1)), 2, "and has not ended again");
    let mut unnoticed = recorded(4, 4, id(10), &registered);
    unnoticed.event_id = id(4);
    let unnoticed = [&log[..], &[unnoticed]].concat();
    assert_eq!(found(0, &unnoticed, arrived(1)), 1);
}

/// The metadata of an event that this position caused.
fn caused_by(position: u128) -> String {
    let metadata = Metadata {
        actor: Actor::Service("test".to_owned()),
        correlation_id: id(8),
        causation_id: Some(id(position)),
        traceparent: None,
    };
    serde_json::to_string(&metadata).unwrap()
}
