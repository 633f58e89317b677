//! Which commands share a group, and what each group rests on.

mod beginnings;
mod records;
mod withdrawing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tidemark_domain::market::auction::{Cancel, PlaceBid, Schedule};
use tidemark_domain::market::category::Deactivate;
use tidemark_domain::market::product::List;
use tidemark_domain::{Claim, ClaimScope, Command, LoadedStream};
use tidemark_events::identity::user::Role;
use tidemark_events::identity::{session, user};
use tidemark_events::market::{auction, category, product};
use tidemark_events::samples::{
    AUCTION, BIDDER, CATEGORY, PRODUCT, SELLER, amount, at, euro_cents, moment,
};
use tidemark_events::{Actor, AuctionId, Event, KeyedHash, Metadata, ProductId, SessionId, UserId};
use tidemark_platform::Config;
use tidemark_platform::config::Executor as Settings;
use uuid::Uuid;

use super::*;
use crate::admission::{Admission, Share};
use crate::executor::submission::Submission;

const ADMIN: UserId = UserId(Uuid::from_u128(100));

fn settings() -> Settings {
    Config::from_vars([]).unwrap().executor
}

fn queued(actor: UserId, stream_id: Uuid, command: impl Command) -> QueuedCommand {
    let share = Share::User(actor.0);
    let permit = Admission::new("commands", 1, 1)
        .admit(share.clone())
        .unwrap();
    let submission = Submission {
        command: Arc::new(command),
        metadata: Metadata {
            actor: Actor::User(actor),
            correlation_id: Uuid::nil(),
            causation_id: None,
            traceparent: None,
        },
        session: Some(session_of(actor)),
        share,
        stream_id,
        status: StatusCode::OK,
        expected_versions: None,
        idempotency: None,
        subject_keys: Vec::new(),
    };
    QueuedCommand::new(
        submission,
        Instant::now() + Duration::from_secs(1),
        None,
        permit,
    )
    .0
}

fn bid(amount: i64) -> QueuedCommand {
    let amount = euro_cents(amount);
    queued(
        BIDDER,
        AUCTION.0,
        PlaceBid {
            auction_id: AUCTION,
            amount,
        },
    )
}

fn schedule(auction_id: AuctionId, product_id: ProductId) -> Schedule {
    Schedule {
        auction_id,
        product_id,
        reserve: None,
        starting_price: euro_cents(1_000),
        minimum_increment: amount(100),
        buy_now_price: None,
        starts_at: None,
        ends_at: moment(86_400),
        anti_sniping_window_s: 0,
        extension_max: chrono::TimeDelta::hours(1),
    }
}

/// The session in which a user sends commands.
fn session_of(user: UserId) -> SessionId {
    SessionId(Uuid::from_u128(user.0.as_u128() + 1_000))
}

/// A market in which an auction is open, a category active and a product a draft.
fn cache() -> Cache {
    let mut cache = Cache::new(1_000_000);
    fill(&mut cache);
    cache
}

fn fill(cache: &mut Cache) {
    let samples = tidemark_events::samples::all();
    let registered = &samples[0];
    for (user_id, role) in [
        (SELLER, Role::Seller),
        (ADMIN, Role::Admin),
        (BIDDER, Role::Buyer),
    ] {
        let granted = user::Event::RoleGranted { user_id, role }.into();
        insert(cache, user_id.0, &[registered.clone(), granted]);
        let session_id = session_of(user_id);
        let opened = session::Event::Opened {
            session_id,
            user_id,
            token_hash: KeyedHash(String::new()),
            idle_until: moment(1_000).into(),
            ends_at: moment(1_000).into(),
            roles: BTreeSet::new(),
        };
        insert(cache, session_id.0, &[opened.into()]);
    }
    let find =
        |is_wanted: fn(&Event) -> bool| samples.iter().find(|e| is_wanted(e)).unwrap().clone();
    let created = find(|e| matches!(e, Event::Category(category::Event::Created { .. })));
    insert(cache, CATEGORY.0, &[created]);
    let drafted = find(|e| matches!(e, Event::Product(product::Event::Drafted { .. })));
    insert(cache, PRODUCT.0, &[drafted]);
    let scheduled = find(|e| matches!(e, Event::Auction(auction::Event::Scheduled { .. })));
    let opened = find(|e| matches!(e, Event::Auction(auction::Event::Opened { .. })));
    insert(cache, AUCTION.0, &[scheduled, opened]);
    insert(cache, tidemark_events::samples::RESERVE.0, &[]);
    cache.insert_claim(auctioned_product(), Some(AUCTION.0));
}

/// The claim on the product by its auction.
fn auctioned_product() -> Claim {
    Claim::new(ClaimScope::AuctionedProduct, PRODUCT)
}

fn insert(cache: &mut Cache, id: Uuid, events: &[Event]) {
    let mut loaded = LoadedStream::default();
    for event in events {
        loaded.apply(event, at(0));
    }
    cache.insert_stream(id, loaded);
}

fn decide(commands: Vec<QueuedCommand>) -> (Vec<Group>, Vec<Vec<DecidedCommand>>, Cache) {
    let mut cache = cache();
    let mut batch = Batch::default();
    for command in commands {
        let decided = batch.decide(command, &mut cache, at(10), &settings());
        assert!(matches!(decided, DecideResult::InBatch));
    }
    let (groups, commands, _) = batch.into_groups(&mut cache, 1);
    (groups, commands, cache)
}

#[test]
fn commands_on_one_stream_share_a_group_and_see_each_other() {
    let (groups, commands, cache) = decide(vec![bid(10_000), bid(10_100), bid(10_500)]);
    assert_eq!(groups.len(), 1);
    assert_eq!(
        groups[0]
            .events
            .iter()
            .map(|e| e.version)
            .collect::<Vec<_>>(),
        [3, 4]
    );
    assert!(
        groups[0].streams.contains(&(AUCTION.0, 2)),
        "checked as before the batch"
    );
    let too_low = &commands[0][1].decision;
    assert!(matches!(too_low, Decision::Refused(refusal) if refusal.code.name == "bid_too_low"));
    assert_eq!(cache.version(AUCTION.0), Some(4));
}

#[test]
fn commands_that_only_read_the_same_stream_are_in_groups_of_their_own() {
    let list = queued(
        SELLER,
        PRODUCT.0,
        List {
            product_id: PRODUCT,
        },
    );
    let cancel = queued(
        SELLER,
        AUCTION.0,
        Cancel {
            auction_id: AUCTION,
        },
    );
    let (groups, _, _) = decide(vec![list, cancel]);
    assert_eq!(groups.len(), 2, "both read the seller, neither writes it");
}

#[test]
fn a_command_shares_the_group_of_the_command_that_writes_what_it_reads() {
    let list = || {
        queued(
            SELLER,
            PRODUCT.0,
            List {
                product_id: PRODUCT,
            },
        )
    };
    let deactivate = || {
        queued(
            ADMIN,
            CATEGORY.0,
            Deactivate {
                category_id: CATEGORY,
            },
        )
    };
    for commands in [vec![list(), deactivate()], vec![deactivate(), list()]] {
        let (groups, _, _) = decide(commands);
        assert_eq!(
            groups.len(),
            1,
            "the product's category is written by the other"
        );
        assert!(groups[0].streams.contains(&(CATEGORY.0, 1)));
    }
}

#[test]
fn a_claim_is_released_and_taken_in_one_batch() {
    let mut cache = cache();
    let mut batch = Batch::default();
    let listed = product::Event::Listed {
        product_id: PRODUCT,
        seller_id: SELLER,
        category_id: CATEGORY,
    };
    cache.apply(PRODUCT.0, &listed.into(), at(0));
    let next = AuctionId(Uuid::from_u128(78));
    let cancel = Cancel {
        auction_id: AUCTION,
    };
    for command in [
        queued(SELLER, AUCTION.0, cancel),
        queued(SELLER, next.0, schedule(next, PRODUCT)),
    ] {
        let decided = batch.decide(command, &mut cache, at(10), &settings());
        assert!(matches!(decided, DecideResult::InBatch));
    }
    let (groups, commands, _) = batch.into_groups(&mut cache, 1);
    assert!(commands[0].iter().all(DecidedCommand::is_accepted));
    let claim = |owner: AuctionId| {
        let Claim { scope, key } = auctioned_product();
        (scope.name(), key, Some(owner.0))
    };
    assert_eq!(
        groups[0].claims_read,
        [claim(AUCTION)],
        "as before the batch"
    );
    assert_eq!(groups[0].claims_written, [claim(next)]);
}

#[test]
fn the_append_checks_what_a_refusal_rested_on() {
    let (groups, _, _) = decide(vec![bid(1)]);
    assert!(groups[0].events.is_empty());
    assert!(groups[0].streams.contains(&(AUCTION.0, 2)));
}

#[test]
fn an_expected_version_that_does_not_match_writes_nothing() {
    let mut stale = bid(20_000);
    stale.submission.expected_versions = Some(vec![1]);
    let (groups, commands, cache) = decide(vec![stale]);
    assert!(groups[0].events.is_empty());
    assert!(matches!(
        commands[0][0].decision,
        Decision::VersionMismatch { current: 2 }
    ));
    assert_eq!(cache.version(AUCTION.0), Some(2));
}

#[test]
fn what_is_not_in_the_cache_is_loaded_first() {
    let unknown = tidemark_events::AuctionId(Uuid::from_u128(77));
    let command = queued(
        BIDDER,
        unknown.0,
        PlaceBid {
            auction_id: unknown,
            amount: euro_cents(1),
        },
    );
    let decided = Batch::default().decide(command, &mut cache(), at(10), &settings());
    let DecideResult::NeedsLoads(loads, command) = decided else {
        panic!("it was decided")
    };
    assert!(loads.iter().all(|load| *load == Load::Stream(unknown.0)));

    // What is known beforehand is loaded at once: who the bidder is, and the auction.
    let mut empty = Cache::new(1_000_000);
    let decided = Batch::default().decide(command, &mut empty, at(10), &settings());
    let DecideResult::NeedsLoads(loads, _) = decided else {
        panic!("it was decided")
    };
    for id in [unknown.0, BIDDER.0, session_of(BIDDER).0] {
        assert!(loads.contains(&Load::Stream(id)), "{loads:?}");
    }
}

#[test]
fn too_many_or_too_large_events_are_refused() {
    let settings = Settings {
        event_bytes_max: 10,
        ..settings()
    };
    let decided = Batch::default().decide(bid(20_000), &mut cache(), at(10), &settings);
    assert!(matches!(
        decided,
        DecideResult::Failed(_, Error::EventTooLarge)
    ));
    let settings = Settings {
        events_per_command_max: 0,
        ..settings
    };
    let decided = Batch::default().decide(bid(20_000), &mut cache(), at(10), &settings);
    assert!(matches!(
        decided,
        DecideResult::Failed(_, Error::TooManyEvents)
    ));
}
