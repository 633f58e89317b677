//! What the tests of this crate share: events, databases and a small read model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tidemark_event_store::TimedPool;
use tidemark_event_store::testing::{
    create_database, database_name, from_environment, with_database,
};
use tidemark_events::market::category;
use tidemark_events::{CategoryId, Event, LogPoint, Recorded, samples};
use tidemark_platform::Config;
use tidemark_read_models::{EventFilter, FoldInput, Generation, ReadModel, RowOf, divide};
use uuid::Uuid;

use crate::following::page::Page;

/// The first sample event as the log would hold it at a position.
pub(crate) fn recorded(position: i64) -> Recorded {
    samples::recorded(position, &samples::all()[0])
}

/// The point at a position, of a log whose events are made of samples.
pub(crate) fn at(position: i64) -> LogPoint {
    if position == 0 {
        LogPoint::START
    } else {
        recorded(position).point()
    }
}

/// A page after which the log has no more events.
pub(crate) fn page(events: &[Arc<Recorded>]) -> Page {
    Page {
        events: events.to_vec(),
        to: events.last().unwrap().point(),
        has_more: false,
        is_to_be_written: false,
    }
}

/// A migrated database for one test. The next run of the scenarios drops it.
pub(crate) struct Database {
    pub(crate) name: String,
    /// Connections of the owner, who may do anything.
    pub(crate) owner: PgPool,
    /// Connections of the projector's role.
    pub(crate) pool: TimedPool,
}

impl Database {
    pub(crate) async fn new(test: &str) -> Self {
        let name = database_name(test);
        let owner = create_database(&name).await;
        let database = Self {
            owner,
            pool: TimedPool::new(
                PgPool::connect_lazy(&project_url(&name)).unwrap(),
                Duration::from_secs(10),
            ),
            name,
        };
        database.create_tally().await;
        database
    }

    async fn create_tally(&self) {
        let sql = "
            create table tally_rows (
                generation integer not null,
                id         uuid    not null,
                doc        json    not null,
                position   bigint  not null,
                primary key (generation, id)
            ) partition by list (generation);
            create table tally_rows_1 partition of tally_rows for values in (1);
            grant select, insert, update, delete on tally_rows to tidemark_project;
            insert into generations (read_model, generation, state, fold_version)
            values ('tally', 1, 'serving', 1);
            insert into checkpoints (read_model, generation) values ('tally', 1);";
        self.owner.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

    /// Divides the small read model, as the first projector with that configuration does.
    pub(crate) async fn divide_tally(&self, shards: i32) {
        let configured = BTreeMap::from([("tally".to_owned(), shards)]);
        let divided = divide(&self.pool, &configured).await.unwrap();
        let tally = divided.into_iter().find(|it| it.read_model == "tally");
        assert_eq!(tally.unwrap().shards, shards);
    }

    /// The checkpoints of all shards of a read model.
    pub(crate) async fn checkpoints(&self, read_model: &str) -> Vec<i64> {
        let sql = "select position from checkpoints where read_model = $1 order by shard";
        let query = sqlx::query_scalar(sql).bind(read_model);
        query.fetch_all(&self.owner).await.unwrap()
    }

    /// Appends events to the log, and shares them as a feed does.
    pub(crate) async fn append_shared(&self, events: Vec<Recorded>) -> Vec<Arc<Recorded>> {
        self.append(&events).await;
        events.into_iter().map(Arc::new).collect()
    }

    /// Appends events to the log.
    pub(crate) async fn append(&self, events: &[Recorded]) {
        for event in events {
            sqlx::query(
                "insert into events values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json, $10)",
            )
            .bind(event.position)
            .bind(event.event_id)
            .bind(event.stream_id)
            .bind(event.version)
            .bind(&event.aggregate)
            .bind(&event.event_type)
            .bind(event.schema_version)
            .bind(&event.data)
            .bind(&event.metadata)
            .bind(event.recorded_at)
            .execute(&self.owner)
            .await
            .unwrap();
        }
        let head = "update log_head set position = (select max(position) from events)";
        self.owner.execute(head).await.unwrap();
    }

    /// The checkpoint of a read model with one shard, and why it is blocked if it is.
    pub(crate) async fn checkpoint(&self, read_model: &str) -> (i64, Option<String>) {
        let sql = "select position, blocked from checkpoints where read_model = $1";
        let query = sqlx::query_as(sql).bind(read_model);
        query.fetch_one(&self.owner).await.unwrap()
    }

    /// The document and position of each row of a read model.
    pub(crate) async fn rows(&self, read_model: &str) -> HashMap<Uuid, (String, i64)> {
        let sql = format!("select id, doc::text, position from {read_model}_rows");
        let rows: Vec<(Uuid, String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(&self.owner)
            .await
            .unwrap();
        rows.into_iter()
            .map(|(id, doc, position)| (id, (doc, position)))
            .collect()
    }

    /// The parked rows of all read models, each with its kind, the events that wait for it, why, and after how many attempts.
    pub(crate) async fn parked(&self) -> Vec<(Uuid, String, Vec<i64>, String, i32)> {
        let sql = "select id, kind, array_agg(e.position order by e.position), reason, attempts
                     from parked
                     join parked_events e using (read_model, generation, id)
                    group by id, kind, parked.position, reason, attempts
                   having parked.position = min(e.position)
                    order by id";
        let query = sqlx::query_as(sql);
        query.fetch_all(&self.owner).await.unwrap()
    }

    /// The configuration of a projector that uses this database, without Kafka and Redis.
    pub(crate) fn config(&self, more: &[(&str, &str)]) -> Config {
        let url = project_url(&self.name);
        let token = format!("projector={}", "s".repeat(32));
        let vars = [
            ("TIDEMARK_DATABASE__PROJECT_URL", &*url),
            ("TIDEMARK_SERVICE_TOKEN", &token),
        ];
        let vars = vars.iter().chain(more);
        Config::from_vars(vars.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
            .unwrap()
    }
}

/// The URL by which the projector's role reaches a database.
pub(crate) fn project_url(database: &str) -> String {
    with_database(
        &from_environment("TIDEMARK_DATABASE__PROJECT_URL"),
        database,
    )
}

/// The generation of [`Tally`].
pub(crate) const GENERATION: Generation = Generation {
    number: 1,
    fold_version: Tally::FOLD_VERSION,
};
/// While set, the fold of [`Tally`] panics at the row of [`FAILING_CATEGORY`].
pub(crate) static IS_FAILING: AtomicBool = AtomicBool::new(false);
/// The category at whose row the fold panics while [`IS_FAILING`] is set.
pub(crate) const FAILING_CATEGORY: CategoryId = CategoryId(Uuid::from_u128(666));
/// The row of [`Tally`] that every event touches.
pub(crate) const TOTAL: Uuid = Uuid::from_u128(0);

/// A read model that counts the events of each category, and of all categories. A category that is
/// deactivated has no row.
pub(crate) struct Tally;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) count: u32,
}

impl ReadModel for Tally {
    const NAME: &'static str = "tally";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "category.created",
        "category.activated",
        "category.deactivated",
    ]);
    const ROW_OF: RowOf = RowOf::Data;
    const IN_REDIS: bool = true;

    type Row = Count;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let Some(Event::Category(
            category::Event::Created { category_id, .. }
            | category::Event::Activated { category_id }
            | category::Event::Deactivated { category_id },
        )) = &input.event
        else {
            return Vec::new();
        };
        vec![TOTAL, category_id.0]
    }

    fn fold(key: Uuid, row: Option<Count>, input: &FoldInput<'_>) -> Option<Count> {
        assert!(
            key != FAILING_CATEGORY.0 || !IS_FAILING.load(Ordering::Relaxed),
            "on purpose"
        );
        let ends = input.recorded.event_type == "category.deactivated" && key != TOTAL;
        let count = row.unwrap_or_default().count + 1;
        (!ends).then_some(Count { count })
    }
}

/// An event that the row of the category counts.
pub(crate) fn activated(position: i64, category_id: CategoryId) -> Recorded {
    samples::recorded(position, &category::Event::Activated { category_id }.into())
}

/// An event that removes the row of the category.
pub(crate) fn deactivated(position: i64, category_id: CategoryId) -> Recorded {
    samples::recorded(
        position,
        &category::Event::Deactivated { category_id }.into(),
    )
}
