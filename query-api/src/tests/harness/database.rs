//! A database with rows, checkpoints and events as the other processes leave them.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Executor, PgPool};
use tidemark_event_store::testing::{create_database, database_name};
use tidemark_events::Event;
use tidemark_read_models::{ReadModel, Shard};
use uuid::Uuid;

use super::events::recorded;

/// A migrated database. The next run of the scenarios drops it.
pub(crate) struct Database {
    pub(crate) name: String,
    /// Connects as the owner, who may do anything.
    pub(crate) owner: PgPool,
}

impl Database {
    pub(crate) async fn new(test: &str) -> Self {
        let name = database_name(test);
        let owner = create_database(&name).await;
        Self { name, owner }
    }

    /// Runs any SQL.
    pub(crate) async fn execute(&self, sql: impl Into<String>) {
        let sql = AssertSqlSafe(sql.into());
        self.owner.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

    /// Sets the head of the log.
    pub(crate) async fn set_head(&self, position: i64) {
        self.execute(format!("update log_head set position = {position}"))
            .await;
    }

    /// Sets the checkpoints of all read models.
    pub(crate) async fn set_checkpoints(&self, position: i64) {
        self.execute(format!("update checkpoints set position = {position}"))
            .await;
    }

    /// Divides a read model into this many shards.
    pub(crate) async fn divide<M: ReadModel>(&self, shards: i32) {
        let configured = BTreeMap::from([(M::NAME.to_owned(), shards)]);
        tidemark_read_models::divide(&self.owner, &configured)
            .await
            .unwrap();
    }

    /// Sets the checkpoint of one shard of a read model.
    pub(crate) async fn set_shard_checkpoint<M: ReadModel>(&self, shard: i32, position: i64) {
        let name = M::NAME;
        self.execute(format!(
            "update checkpoints set position = {position}
              where read_model = '{name}' and shard = {shard}"
        ))
        .await;
    }

    /// Writes a row and sets the checkpoints of all read models, in one transaction.
    pub(crate) async fn write<M: ReadModel>(&self, id: Uuid, position: i64, row: &M::Row) {
        self.write_with_checkpoints::<M>(id, position, row, "")
            .await;
    }

    /// Writes a row and sets the checkpoint of its shard, which is one of three, in one transaction.
    pub(crate) async fn write_in_shard<M: ReadModel>(&self, id: Uuid, position: i64, row: &M::Row) {
        let shard = Shard::of(id, 3).number;
        let of_its_shard = format!("where read_model = '{}' and shard = {shard}", M::NAME);
        self.write_with_checkpoints::<M>(id, position, row, &of_its_shard)
            .await;
    }

    async fn write_with_checkpoints<M: ReadModel>(
        &self,
        id: Uuid,
        position: i64,
        row: &M::Row,
        checkpoints: &str,
    ) {
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
        let checkpoints = format!("update checkpoints set position = $1 {checkpoints}");
        let checkpoints = sqlx::query(AssertSqlSafe(checkpoints)).bind(position);
        checkpoints.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Appends an event to the log, with its position as its version.
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
        self.set_head(position).await;
    }
}
