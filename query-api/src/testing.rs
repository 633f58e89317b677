//! What the tests of this crate share: a database of their own with rows as a projector leaves them,
//! this API over it, and a command API that only takes readings.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use reqwest::Client;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tidemark_events::{Actor, Event, Metadata, Recorded, samples};
use tidemark_platform::Config;
use tidemark_platform::auth::{Issuer, User};
use tidemark_platform::clock::Clock;
use tidemark_read_models::market::auction::{Auction, Row};
use tidemark_read_models::{ReadModel, Shard};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// A migrated database, which the next run of the same test replaces.
pub(crate) struct Database {
    pub(crate) name: String,
    /// May do anything.
    pub(crate) owner: PgPool,
}

impl Database {
    pub(crate) async fn new(test: &str) -> Self {
        let name = format!("tidemark_query_api_{test}");
        let superuser = variable("TIDEMARK_TEST_DATABASE_URL");
        let mut connection = PgConnection::connect(&superuser).await.unwrap();
        for statement in [
            format!("drop database if exists {name} with (force)"),
            format!("create database {name} owner tidemark_owner"),
        ] {
            connection.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        let owner = variable("TIDEMARK_DATABASE__OWNER_URL");
        let owner: PgConnectOptions = owner.parse().unwrap();
        let owner = PgPool::connect_lazy_with(owner.database(&name));
        tidemark_event_store::migrate(&owner).await.unwrap();
        Self { name, owner }
    }

    /// Does as told.
    pub(crate) async fn execute(&self, sql: impl Into<String>) {
        let sql = AssertSqlSafe(sql.into());
        self.owner.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

    /// Ends the log here.
    pub(crate) async fn head(&self, position: i64) {
        self.execute(format!("update log_head set position = {position}"))
            .await;
    }

    /// Moves all read models here.
    pub(crate) async fn applied(&self, position: i64) {
        self.execute(format!("update checkpoints set position = {position}"))
            .await;
    }

    /// Divides a read model into shards.
    pub(crate) async fn divide<M: ReadModel>(&self, shards: i32) {
        let configured = BTreeMap::from([(M::NAME.to_owned(), shards)]);
        tidemark_read_models::divide(&self.owner, 1, &configured)
            .await
            .unwrap();
    }

    /// Moves one shard of a read model here.
    pub(crate) async fn shard_applied<M: ReadModel>(&self, shard: i32, position: i64) {
        let name = M::NAME;
        self.execute(format!(
            "update checkpoints set position = {position}
              where read_model = '{name}' and shard = {shard}"
        ))
        .await;
    }

    /// Writes a row and the checkpoints of all read models, as one transaction.
    pub(crate) async fn write<M: ReadModel>(&self, id: Uuid, position: i64, row: &M::Row) {
        self.write_and::<M>(id, position, row, "").await;
    }

    /// Writes a row and the checkpoint of its shard of three, as one transaction.
    pub(crate) async fn write_in_shard<M: ReadModel>(&self, id: Uuid, position: i64, row: &M::Row) {
        let shard = Shard::of(id, 3).number;
        let its_own = format!("where read_model = '{}' and shard = {shard}", M::NAME);
        self.write_and::<M>(id, position, row, &its_own).await;
    }

    async fn write_and<M: ReadModel>(&self, id: Uuid, position: i64, row: &M::Row, moved: &str) {
        let mut transaction = self.owner.begin().await.unwrap();
        let sql = format!(
            "insert into {}_rows (generation, id, doc, position) values (1, $1, $2::json, $3)
             on conflict (generation, id) do update
                set doc = excluded.doc, position = excluded.position",
            M::NAME
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(serde_json::to_string(row).unwrap())
            .bind(position)
            .execute(&mut *transaction)
            .await
            .unwrap();
        let checkpoints = format!("update checkpoints set position = $1 {moved}");
        let checkpoints = sqlx::query(AssertSqlSafe(checkpoints)).bind(position);
        checkpoints.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Puts an event at the end of the log, as the next version of a stream of its own aggregate.
    pub(crate) async fn append(&self, position: i64, stream_id: Uuid, event: &Event) {
        let recorded = recorded(position, stream_id, event);
        sqlx::query(
            "insert into events values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json, $10)",
        )
        .bind(recorded.position)
        .bind(recorded.event_id)
        .bind(recorded.stream_id)
        .bind(recorded.version)
        .bind(&recorded.aggregate)
        .bind(&recorded.event_type)
        .bind(recorded.schema_version)
        .bind(&recorded.data)
        .bind(&recorded.metadata)
        .bind(recorded.recorded_at)
        .execute(&self.owner)
        .await
        .unwrap();
        self.head(position).await;
    }
}

/// An event as the log would hold it, with its position as version and second.
pub(crate) fn recorded(position: i64, stream_id: Uuid, event: &Event) -> Recorded {
    let encoded = event.encode().unwrap();
    let metadata = Metadata {
        actor: Actor::User(samples::SELLER),
        correlation_id: Uuid::from_u128(77),
        causation_id: None,
        traceparent: None,
    };
    Recorded {
        position,
        event_id: Uuid::from_u64_pair(1, position.unsigned_abs()),
        stream_id,
        version: position,
        aggregate: event.aggregate().name().to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        data: encoded.data,
        metadata: serde_json::to_string(&metadata).unwrap(),
        recorded_at: samples::at(position),
    }
}

/// The events of the auction of the examples.
pub(crate) fn auction_events() -> Vec<Event> {
    let events = samples::all().into_iter();
    events
        .filter(|event| matches!(event, Event::Auction(_)))
        .collect()
}

/// The auction of the examples just announced, under another id.
pub(crate) fn auction(id: u128) -> Row {
    let recorded = recorded(1, samples::AUCTION.0, &auction_events()[0]);
    let input = Auction::EVENTS.fold_input(&recorded).unwrap().unwrap();
    let mut row = Auction::fold(samples::AUCTION.0, None, &input).unwrap();
    row.id.0 = Uuid::from_u128(id);
    row
}

/// This API, until it is dropped.
pub(crate) struct Api {
    url: String,
    issuer: Issuer,
    client: Client,
    _stop: DropGuard,
}

impl Api {
    /// Over that database and nothing else, unless `more` says so.
    pub(crate) async fn start(database: &Database, more: &[(&str, &str)]) -> Self {
        let config = config(database, more);
        let issuer = Issuer::from_config(&config.auth).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let running = crate::run(config, listener, stop.clone());
        tokio::spawn(async { running.await.unwrap() });
        Self {
            url,
            issuer,
            client: Client::builder().no_proxy().build().unwrap(),
            _stop: stop.drop_guard(),
        }
    }

    /// Asks with these headers.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let response = self.send(path, headers).await;
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|v| v.to_str().unwrap().to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            tidemark: header("tidemark").unwrap_or_default(),
            body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
        }
    }

    /// The same, without waiting for the end of the answer.
    pub(crate) async fn send(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send().await.unwrap()
    }

    /// The value of `Authorization` for a user with that role.
    pub(crate) fn login(&self, id: u128, role: &str) -> String {
        let user = User {
            id: Uuid::from_u128(id),
            session_id: Uuid::from_u128(1),
            roles: vec![role.to_owned()],
        };
        let now = Clock::system().now();
        format!(
            "Bearer {}",
            self.issuer.issue(now, Uuid::from_u128(1), &user).unwrap()
        )
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) tidemark: String,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// What the items of a page hold under that name.
    pub(crate) fn column(&self, name: &str) -> Vec<&Value> {
        let items = self.body["items"].as_array().unwrap();
        items.iter().map(|item| &item[name]).collect()
    }
}

fn config(database: &Database, more: &[(&str, &str)]) -> Config {
    let url = variable("TIDEMARK_DATABASE__READ_URL");
    let (server, _) = url.rsplit_once('/').unwrap();
    let url = format!("{server}/{}", database.name);
    let secret = format!("query-api={}", "s".repeat(32));
    let given = [
        "TIDEMARK_AUTH__SIGNING_KEY",
        "TIDEMARK_AUTH__VERIFYING_KEY",
        "TIDEMARK_SEALING__MASTER_KEY",
        "TIDEMARK_SEALING__LOOKUP_KEY",
    ];
    let given = given.map(|name| (name.to_owned(), variable(name)));
    let own = [
        ("TIDEMARK_DATABASE__READ_URL", &*url),
        ("TIDEMARK_SERVICE_TOKEN", &secret),
        ("TIDEMARK_TELEMETRY__LOG", "error"),
    ];
    let own = own.iter().chain(more);
    let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_vars(given.into_iter().chain(own)).unwrap()
}

/// A command API that takes readings and nothing else.
pub(crate) struct Recordings {
    pub(crate) url: String,
    /// What it answers.
    pub(crate) status: Arc<AtomicU16>,
    /// What it was sent.
    pub(crate) taken: Arc<Mutex<Vec<Value>>>,
    _stop: DropGuard,
}

impl Recordings {
    pub(crate) async fn start() -> Self {
        let status = Arc::new(AtomicU16::new(201));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (answer, record_in) = (Arc::clone(&status), Arc::clone(&taken));
        let record = post(|axum::Json(body): axum::Json<Value>| async move {
            record_in.lock().unwrap().push(body);
            StatusCode::from_u16(answer.load(Ordering::Relaxed)).unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let served = axum::serve(listener, Router::new().route("/v1/readings", record));
        let served = served.with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async { served.await.unwrap() });
        Self {
            url,
            status,
            taken,
            _stop: stop.drop_guard(),
        }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: use ./dev test"))
}
