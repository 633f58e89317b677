//! A market for commands in this process: a database of its own, bidders, and many open auctions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use axum::http::StatusCode;
use chrono::TimeDelta;
use sqlx::PgPool;
use tidemark_command_api::Share;
use tidemark_command_api::executor::{Executor, Idempotency, Submission};
use tidemark_domain::Command;
use tidemark_domain::market::auction::PlaceBid;
use tidemark_event_store::{
    AppendOutcome, Appender, Conditions, Group, NewEvent, RecordId, TimedPool,
};
use tidemark_events::identity::user::Role;
use tidemark_events::identity::{session, user};
use tidemark_events::market::{auction, category};
use tidemark_events::samples::{amount, euro_cents, stored};
use tidemark_events::{
    Actor, AuctionId, CategoryId, Event, KeyedHash, Metadata, Moment, ProductId, SessionId,
    Timestamp, UserId, samples,
};
use tidemark_platform::Config;
use tidemark_platform::clock::Clock;
use tidemark_platform::database;
use tidemark_platform::ids::new_id;
use tidemark_tests::{Database, Settings};
use uuid::Uuid;

/// Auctions, and so streams, that commands are spread over.
pub(crate) const AUCTIONS: usize = 10_000;
/// Registered buyers.
pub(crate) const BIDDERS: usize = 512;

/// The starting price of every auction, in cents.
pub(crate) const STARTING_PRICE: i64 = 1_000;
const INCREMENT: i64 = 1;
/// Streams that one append makes.
const STREAMS_PER_APPEND: usize = 500;

/// An auction that stays open, and the price in cents of its next bid.
pub(crate) struct OpenAuction {
    pub(crate) id: AuctionId,
    price: AtomicI64,
}

/// The market.
pub(crate) struct Market {
    /// Its database, which is removed when the market is dropped.
    pub(crate) database: Database,
    /// The settings of a process in it.
    pub(crate) config: Config,
    /// Connections of the role that appends.
    pub(crate) pool: PgPool,
    /// The way into the log.
    pub(crate) executor: Executor,
    /// Another one, as of a second process.
    pub(crate) second_executor: Executor,
    /// Open auctions.
    pub(crate) auctions: Vec<OpenAuction>,
    /// Registered buyers, each logged in in the session [`session_of`] them.
    pub(crate) bidders: Vec<UserId>,
    /// A seller, who is logged in too.
    pub(super) seller: UserId,
    /// An active category.
    pub(super) category: CategoryId,
    /// When auctions end that are opened meanwhile.
    pub(super) ends_at: Moment,
}

impl Market {
    /// Makes the users and auctions through the append function, and starts an executor.
    pub(crate) async fn create() -> Self {
        let database = Database::fresh().await;
        let mut settings = Settings::new(&database);
        settings.set("TIDEMARK_DATABASE__MAX_CONNECTIONS", "10");
        settings.set("TIDEMARK_EXECUTOR__QUEUE_PER_PRINCIPAL_MAX", "1024");
        let config = settings.config();
        let url = database.url_like(settings.get("TIDEMARK_DATABASE__APPEND_URL"));
        let pool = database::pool(&config.database, &url).unwrap();
        let clock = Clock::system();
        let timed = TimedPool::new(pool.clone(), config.database.response_timeout());
        let start = || {
            let settings = config.executor.clone();
            Executor::start(timed.clone(), settings, clock.clone(), Arc::default()).0
        };
        let (executor, second_executor) = (start(), start());
        let bidders: Vec<_> = (0..BIDDERS).map(|_| UserId(new_id())).collect();
        let auctions: Vec<_> = (0..AUCTIONS)
            .map(|_| OpenAuction {
                id: AuctionId(new_id()),
                price: AtomicI64::new(STARTING_PRICE),
            })
            .collect();
        let users = bidders
            .iter()
            .map(|id| group(id.0, vec![samples::all().swap_remove(0)]));
        let now = clock.now();
        let sessions = bidders
            .iter()
            .map(|id| group(session_of(*id).0, vec![logged_in(*id, now)]));
        let new_auctions = auctions
            .iter()
            .map(|open| group(open.id.0, opened(open.id, now)));
        let (seller, category) = (UserId(new_id()), CategoryId(new_id()));
        let mut groups: Vec<_> = users.chain(sessions).chain(new_auctions).collect();
        groups.extend(shop(seller, category, now));
        let appender = Appender::register(&pool, new_id()).await.unwrap();
        for batch in 1.. {
            let rest = groups.split_off(groups.len().min(STREAMS_PER_APPEND));
            let outcome = appender
                .append(batch, Conditions::default(), groups)
                .await
                .unwrap();
            assert!(matches!(outcome, AppendOutcome::Appended(done) if done.conflicts.is_empty()));
            if rest.is_empty() {
                break;
            }
            groups = rest;
        }
        Self {
            database,
            config,
            pool,
            executor,
            second_executor,
            auctions,
            bidders,
            seller,
            category,
            ends_at: Moment::nearest(now + TimeDelta::days(7)),
        }
    }

    /// A bid on an auction that is higher than all before.
    pub(crate) fn bid(&self, auction: usize, bidder: usize, is_keyed: bool) -> Submission {
        let open = &self.auctions[auction];
        let user = self.bidders[bidder % self.bidders.len()];
        let amount = euro_cents(open.price.fetch_add(INCREMENT, Relaxed));
        let idempotency = is_keyed.then(|| Idempotency {
            id: RecordId::of(&format!("user:{user}"), &new_id().to_string()),
            service_key: None,
            request_hash: vec![7; 32],
        });
        let bid = PlaceBid {
            auction_id: open.id,
            amount,
        };
        Submission {
            idempotency,
            ..submission(user, open.id.0, bid)
        }
    }
}

/// A command of a user who is logged in.
pub(super) fn submission(user: UserId, stream_id: Uuid, command: impl Command) -> Submission {
    Submission {
        command: Arc::new(command),
        metadata: metadata(user),
        session: Some(session_of(user)),
        share: Share::User(user.0),
        stream_id,
        status: StatusCode::CREATED,
        expected_versions: None,
        idempotency: None,
        subject_keys: Vec::new(),
    }
}

/// What somebody needs who opens auctions: a seller, and a category.
fn shop(seller: UserId, category_id: CategoryId, now: Timestamp) -> [Group; 3] {
    let registered = samples::all().swap_remove(0);
    let granted = user::Event::RoleGranted {
        user_id: seller,
        role: Role::Seller,
    };
    let created = category::Event::Created {
        category_id,
        parent_id: None,
        name: stored("Cameras"),
        slug: stored("cameras"),
        sort_order: 1,
    };
    [
        group(seller.0, vec![registered, granted.into()]),
        group(session_of(seller).0, vec![logged_in(seller, now)]),
        group(category_id.0, vec![created.into()]),
    ]
}

/// The session in which a buyer bids.
fn session_of(user: UserId) -> SessionId {
    SessionId(Uuid::from_u128(user.0.as_u128() ^ 1))
}

/// The event that a buyer logged in.
fn logged_in(user_id: UserId, now: Timestamp) -> Event {
    let ends_at = Moment::nearest(now + TimeDelta::days(7)).into();
    session::Event::Opened {
        session_id: session_of(user_id),
        user_id,
        token_hash: KeyedHash(String::new()),
        idle_until: ends_at,
        ends_at,
        roles: BTreeSet::new(),
    }
    .into()
}

/// The metadata of an event that this user caused.
pub(crate) fn metadata(user: UserId) -> Metadata {
    Metadata {
        actor: Actor::User(user),
        correlation_id: new_id(),
        causation_id: None,
        traceparent: None,
    }
}

/// A group that makes a stream with these events.
fn group(stream_id: Uuid, events: Vec<Event>) -> Group {
    let metadata = serde_json::to_string(&metadata(samples::SELLER)).unwrap();
    let events = (1..).zip(events).map(|(version, event)| NewEvent {
        event_id: new_id(),
        stream_id,
        version,
        aggregate: event.aggregate().name(),
        encoded: event.encode().unwrap(),
        metadata: metadata.clone(),
    });
    Group {
        events: events.collect(),
        streams: vec![(stream_id, 0)],
        ..Group::default()
    }
}

/// The first two events of an auction.
pub(crate) fn opened(auction_id: AuctionId, now: Timestamp) -> Vec<Event> {
    let product_id = ProductId(new_id());
    let seller_id = samples::SELLER;
    let scheduled = auction::Event::Scheduled {
        auction_id,
        product_id,
        category_id: CategoryId(new_id()),
        seller_id,
        title: stored("Field camera"),
        starting_price: euro_cents(STARTING_PRICE).into(),
        minimum_increment: amount(INCREMENT).into(),
        buy_now_price: None,
        reserve_id: None,
        starts_at: Moment::nearest(now).into(),
        ends_at: Moment::nearest(now + TimeDelta::days(7)).into(),
        anti_sniping_window_s: 60,
        latest_end_at: None,
    };
    let opened = auction::Event::Opened {
        auction_id,
        product_id,
        seller_id,
    };
    vec![scheduled.into(), opened.into()]
}
