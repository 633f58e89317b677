//! A log with topics of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tidemark_event_store::relay::{Health, Relay, Settings};
use tidemark_event_store::{
    AppendOutcome, Appender, Conditions, Group, Log, NewEvent, TimedPool, kafka,
};
use tidemark_events::identity::{session, user};
use tidemark_events::market::{auction, category};
use tidemark_events::operations::fork;
use tidemark_events::operations::publication;
use tidemark_events::samples::stored;
use tidemark_events::{
    Actor, AuctionId, CategoryId, Event, ForkId, Metadata, ProductId, PublicationId, SessionId,
    UserId,
};
use tidemark_platform::ids::new_id;
use tidemark_tests::database::RESPONSE_TIMEOUT;
use tidemark_tests::{Database, eventually, from_environment};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than any step of these tests takes on a slow machine.
const DEADLINE: Duration = Duration::from_mins(3);

/// The most connections that one role needs at once.
const CONNECTIONS_MAX: u32 = 4;

/// A log, the settings of relays that publish it, and an executor that appends to it.
pub(super) struct RelayedLog {
    pub(super) database: Database,
    pub(super) log: Log,
    pub(super) settings: Settings,
    relay_pool: TimedPool,
    append_pool: PgPool,
    appender: Appender,
    batch: i64,
    versions: HashMap<Uuid, i64>,
    streams: Vec<Uuid>,
}

/// A relay that runs.
pub(super) struct RunningRelay {
    pub(super) confirmed: watch::Receiver<i64>,
    pub(super) health: watch::Receiver<Health>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl RelayedLog {
    pub(super) async fn new() -> Self {
        let database = Database::fresh().await;
        let pool = |role| {
            let url = from_environment(&format!("TIDEMARK_DATABASE__{role}_URL"));
            PgPoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .connect_lazy(&database.url_like(&url))
                .unwrap()
        };
        let timed = |pool| TimedPool::new(pool, RESPONSE_TIMEOUT);
        let writing = pool("APPEND");
        let appender = Appender::register(&writing, new_id()).await.unwrap();
        Self {
            log: Log::new(timed(pool("READ"))),
            relay_pool: timed(pool("RELAY")),
            appender,
            append_pool: writing,
            settings: settings(format!("test-{}", new_id().simple())),
            database,
            batch: 0,
            versions: HashMap::new(),
            streams: (0..7).map(|_| new_id()).collect(),
        }
    }

    /// Spreads the events of each aggregate over this many streams.
    pub(super) fn streams(mut self, count: usize) -> Self {
        self.streams = (0..count).map(|_| new_id()).collect();
        self
    }

    /// Appends this many events of several aggregates in turn, and returns the head.
    pub(super) async fn append(&mut self, count: usize) -> i64 {
        let mut group = Group::default();
        for index in 0..count {
            let seed = self.streams[index / AGGREGATES % self.streams.len()];
            let event = event_of(index % AGGREGATES, seed);
            let aggregate = event.aggregate();
            // A stream belongs to one aggregate.
            let stream_id = Uuid::from_u128(seed.as_u128() ^ (aggregate as u128 + 1));
            let version = self.versions.entry(stream_id).or_default();
            if !group.streams.iter().any(|(id, _)| *id == stream_id) {
                group.streams.push((stream_id, *version));
            }
            *version += 1;
            group.events.push(NewEvent {
                event_id: new_id(),
                stream_id,
                version: *version,
                aggregate: aggregate.name(),
                encoded: event.encode().unwrap(),
                metadata: metadata(),
            });
        }
        self.append_group(group).await
    }

    pub(super) async fn append_group(&mut self, group: Group) -> i64 {
        self.batch += 1;
        let outcome = self
            .appender
            .append(self.batch, Conditions::default(), vec![group])
            .await
            .unwrap();
        let AppendOutcome::Appended(appended) = outcome else {
            panic!("the log does not know this executor any more")
        };
        assert_eq!(appended.conflicts, []);
        self.log.head().await.unwrap().position
    }

    /// Declares a fork, after which the log does not know this executor any more.
    pub(super) async fn fork(&mut self) {
        let id = new_id();
        let declared = fork::Event::Declared {
            fork_id: ForkId(id),
            shared_up_to: None,
            reason: stored("as an exercise"),
        };
        self.append_first(id, declared.into()).await;
        self.register().await;
    }

    /// Sets the log back to the copy, as a restoration does. Streams that go on would be of the lost future.
    pub(super) async fn set_back(&mut self) {
        let tables = "events|log_head|timelines";
        self.database.restore(tables, "").await;
        self.streams = self.streams.iter().map(|_| new_id()).collect();
        self.register().await;
    }

    /// Has the relay adopt what the topics hold, and returns the head.
    pub(super) async fn adopt(&mut self) -> i64 {
        let id = new_id();
        let adopted = publication::Event::Adopted {
            publication_id: PublicationId(id),
            reason: stored("as an exercise"),
        };
        self.append_first(id, adopted.into()).await
    }

    /// Has the relay publish the log again from this position, and returns the head.
    pub(super) async fn republish(&mut self, from_position: i64) -> i64 {
        let id = new_id();
        let repeated = publication::Event::Repeated {
            publication_id: PublicationId(id),
            from_position,
            reason: stored("as an exercise"),
        };
        self.append_first(id, repeated.into()).await
    }

    /// Appends the first event of a stream, and returns the head.
    async fn append_first(&mut self, id: Uuid, event: Event) -> i64 {
        self.append_group(Group {
            events: vec![NewEvent {
                event_id: new_id(),
                stream_id: id,
                version: 1,
                aggregate: event.aggregate().name(),
                encoded: event.encode().unwrap(),
                metadata: metadata(),
            }],
            streams: vec![(id, 0)],
            ..Group::default()
        })
        .await
    }

    /// Registers another executor, because the log does not know this one any more.
    async fn register(&mut self) {
        let registered = Appender::register(&self.append_pool, new_id()).await;
        self.appender = registered.unwrap();
        self.batch = 0;
    }

    /// Starts a relay, as one more process would.
    pub(super) fn relay(&self) -> RunningRelay {
        self.relay_with(self.settings.clone())
    }

    pub(super) fn relay_with(&self, settings: Settings) -> RunningRelay {
        let relay = Relay::new(self.relay_pool.clone(), settings, new_id(), Arc::default());
        let shutdown = CancellationToken::new();
        RunningRelay {
            confirmed: relay.confirmed(),
            health: relay.health(),
            shutdown: shutdown.clone(),
            task: tokio::spawn(relay.run(shutdown)),
        }
    }

    /// Waits until a relay of any process has saved that it published `position`.
    pub(super) async fn published(&self, position: i64) {
        eventually("a relay to publish", || async {
            let saved: i64 = sqlx::query_scalar("select position from relay_progress")
                .fetch_one(&self.database.pool)
                .await
                .unwrap();
            (saved >= position).then_some(())
        })
        .await;
    }

    /// Why the relay has stopped, as operators read it, and how many of their requests it has not done yet.
    pub(super) async fn alarm_and_requests(&self) -> (Option<String>, i64) {
        let sql = "select alarm, (select count(*) from relay_requests) from relay_progress";
        let found = sqlx::query_as(sql).fetch_one(&self.database.pool).await;
        found.unwrap()
    }

    /// Changes the relay's saved progress with this statement.
    pub(super) async fn tamper(&self, sql: &'static str) {
        let changed = sqlx::query(sql).execute(&self.database.pool).await;
        assert!(
            changed.unwrap().rows_affected() > 0,
            "the statement changed no row"
        );
    }
}

impl RunningRelay {
    /// Waits until this relay has confirmed `position`.
    pub(super) async fn confirms(&mut self, position: i64) {
        let confirmed = self.confirmed.wait_for(|confirmed| *confirmed >= position);
        within(confirmed).await.expect("the relay ended");
    }

    pub(super) async fn becomes(&mut self, health: Health) {
        let became = self.health.wait_for(|now| *now == health);
        within(became).await.expect("the relay ended");
    }

    /// Ends the relay without letting it hand over, as a crash would.
    pub(super) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }

    /// Asks the relay to stop, and waits until it has handed over.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        within(self.task).await.unwrap();
    }
}

/// Waits until one of several relays has confirmed `position`, and returns its index.
pub(super) async fn any_confirms(relays: &mut [RunningRelay], position: i64) -> usize {
    let waits = relays
        .iter_mut()
        .map(|relay| Box::pin(relay.confirms(position)));
    within(select_all(waits)).await.1
}

/// Fails the test if the future takes longer than [`DEADLINE`].
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future)
        .await
        .expect("the deadline passed")
}

/// The number of aggregates that [`event_of`] can make events of.
const AGGREGATES: usize = 4;

/// An event of the aggregate with this number, below [`AGGREGATES`].
pub(super) fn event_of(aggregate: usize, id: Uuid) -> Event {
    let (user_id, auction_id) = (UserId(id), AuctionId(id));
    let (product_id, seller_id) = (ProductId(id), user_id);
    match aggregate {
        0 => auction::Event::Opened {
            auction_id,
            product_id,
            seller_id,
        }
        .into(),
        1 => category::Event::Activated {
            category_id: CategoryId(id),
        }
        .into(),
        2 => user::Event::RoleGranted {
            user_id,
            role: user::Role::Seller,
        }
        .into(),
        _ => session::Event::Ended {
            session_id: SessionId(id),
            user_id,
            reason: session::EndReason::LoggedOut,
        }
        .into(),
    }
}

pub(super) fn metadata() -> String {
    let metadata = Metadata {
        actor: Actor::Service("test".to_owned()),
        correlation_id: new_id(),
        causation_id: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    };
    serde_json::to_string(&metadata).unwrap()
}

pub(super) fn settings(topic_prefix: String) -> Settings {
    Settings {
        kafka: kafka::Settings {
            brokers: from_environment("TIDEMARK_KAFKA__BROKERS"),
            topic_prefix,
            partitions: 2,
            replication_factor: 1,
            message_timeout: Duration::from_millis(1500),
            linger: Duration::from_millis(2),
            compression: "gzip",
            fetch_wait_max: Duration::from_millis(20),
            queue_max_kbytes: 64,
            request_timeout: Duration::from_secs(15),
            stall: Duration::from_secs(20),
        },
        // A term that ends because its lease was renewed too late is what these tests must not see.
        lease: Duration::from_secs(4),
        takeover_wait: Duration::from_millis(1800),
        page_size: 200,
        page_bytes: 1 << 20,
        page_interval: Duration::from_millis(2),
        idle_poll: Duration::from_millis(10),
        idle_poll_max: Duration::from_millis(10),
        in_flight_max_kbytes: 256,
        save_interval: Duration::from_millis(20),
        topics_check: Duration::from_millis(100),
        retry: Duration::from_millis(100),
        alarm_retry: Duration::from_millis(100),
    }
}
