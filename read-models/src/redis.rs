//! Documents in Redis. Each shard of a generation of a read model has a hash, which is called its bucket. Each timeline of
//! the log has buckets of its own, so that no document of a future that the log has lost is read after the fork. A
//! field of the hash holds a document, and another one the shard's checkpoint. As both are in one hash, Redis
//! loses both or neither.
//!
//! The name of a document's field is the id of the row, and the value is `<position> <json>`. Without JSON,
//! the row was removed, or is parked. The checkpoint is stored as `<position> <event id>`. Nothing here decides when to write: the projector's Redis writer does.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisResult, Script};
use tidemark_events::LogPoint;
use uuid::Uuid;

use crate::Shard;
use crate::storage::{RowBatch, StoredRow};

/// The field that holds the checkpoint of a filled bucket.
const CHECKPOINT: &str = "@checkpoint";
/// The field that holds the id of whoever fills the bucket; it exists until the bucket is filled.
const FILLING: &str = "@filling";

static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/write.lua")));

/// The documents of all read models. Clones share one connection, which is opened when it is needed.
#[derive(Clone)]
pub struct Documents {
    connection: ConnectionManager,
    key_prefix: Arc<str>,
}

/// What a bucket holds of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedDocument {
    /// The position of the last event that changed the row; 0 if there is no such row.
    pub position: i64,
    /// The position up to which all events are in the bucket.
    pub checkpoint: i64,
    /// The document as JSON text; none if there is no such row.
    pub document: Option<String>,
}

/// The documents of one shard of a generation of a read model, to be written.
#[derive(Clone)]
pub struct Bucket {
    connection: ConnectionManager,
    key: Arc<str>,
}

/// How much one script writes. Redis runs nothing else meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct ScriptLimits {
    /// The most documents.
    pub documents: usize,
    /// The size of documents after which no other is taken.
    pub bytes: usize,
}

impl ScriptLimits {
    /// Whether rows are as many, or as large, as one script may write.
    #[must_use]
    pub fn are_reached_by(self, rows: &[StoredRow]) -> bool {
        let sizes = rows
            .iter()
            .map(|row| row.document.as_ref().map_or(0, String::len));
        rows.len() >= self.documents || sizes.sum::<usize>() >= self.bytes
    }

    /// Divides rows into parts, each of which one script may write.
    pub fn divide(self, mut rows: &[StoredRow]) -> impl Iterator<Item = &[StoredRow]> {
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fits = |row: &&StoredRow| {
                let is_full = bytes >= self.bytes;
                bytes += row.size();
                !is_full
            };
            let count = rows.iter().take(self.documents).take_while(fits).count();
            let (part, rest) = rows.split_at(count);
            rows = rest;
            (!part.is_empty()).then_some(part)
        })
    }
}

/// What a bucket must hold so that a write happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The bucket is filled, and its checkpoint is this point.
    Checkpoint(LogPoint),
    /// The bucket is being filled, by the writer that chose this id.
    Filling(Uuid),
}

impl Documents {
    /// The documents in the Redis at `url`, under keys that start with `key_prefix`. No command takes longer
    /// than `response_timeout`. It must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If `url` is not the URL of a Redis.
    pub fn new(url: &str, key_prefix: &str, response_timeout: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(response_timeout))
            .set_response_timeout(Some(response_timeout));
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?,
            key_prefix: key_prefix.into(),
        })
    }

    /// What Redis holds, of this timeline, of a row of a generation that is divided into so many `shards`; `None` if the bucket of
    /// the row is not filled.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn get(
        &self,
        timeline: i32,
        read_model: &str,
        generation: i32,
        shards: i32,
        id: Uuid,
    ) -> RedisResult<Option<CachedDocument>> {
        let key = self.key(timeline, read_model, generation, Shard::of(id, shards));
        let fields = [CHECKPOINT, &id.to_string()];
        let (checkpoint, value): (Option<String>, Option<String>) =
            self.connection.clone().hmget(key, &fields).await?;
        let checkpoint = checkpoint.as_deref().and_then(point);
        Ok(checkpoint.map(|at| CachedDocument::new(at.position, value.as_deref())))
    }

    /// The bucket of a shard on a timeline.
    #[must_use]
    pub fn bucket(&self, timeline: i32, read_model: &str, generation: i32, shard: Shard) -> Bucket {
        Bucket {
            connection: self.connection.clone(),
            key: self.key(timeline, read_model, generation, shard).into(),
        }
    }

    /// The key of a bucket. Only what is in braces decides on which node of a Redis cluster a key is.
    fn key(&self, timeline: i32, read_model: &str, generation: i32, shard: Shard) -> String {
        let (prefix, number) = (&self.key_prefix, shard.number);
        format!("{prefix}:{{{timeline}.{read_model}.{generation}.{number}}}")
    }
}

impl CachedDocument {
    fn new(checkpoint: i64, value: Option<&str>) -> Self {
        let (position, document) = value
            .and_then(|value| value.split_once(' '))
            .unwrap_or(("0", ""));
        Self {
            position: position.parse().unwrap_or(0),
            checkpoint,
            document: (!document.is_empty()).then(|| document.to_owned()),
        }
    }
}

impl Bucket {
    /// The point up to which all events are in the bucket; `None` if it is not filled.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn checkpoint(&self) -> RedisResult<Option<LogPoint>> {
        let text: Option<String> = self.connection.clone().hget(&*self.key, CHECKPOINT).await?;
        Ok(text.as_deref().and_then(point))
    }

    /// Writes a batch in parts that one script may write. Returns false if the checkpoint of
    /// the bucket is not the batch's `from`.
    ///
    /// # Errors
    /// If Redis does not answer in time; the write may have happened.
    pub async fn apply(&self, batch: &RowBatch, max: ScriptLimits) -> RedisResult<bool> {
        let guard = Guard::Checkpoint(batch.from);
        for rows in max.divide(&batch.rows) {
            if !self.write(guard, rows, None).await? {
                return Ok(false);
            }
        }
        self.write(guard, &[], Some(batch.to)).await
    }

    /// Removes the bucket.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn remove(&self) -> RedisResult<()> {
        self.connection.clone().unlink(&*self.key).await
    }

    /// Empties the bucket, so that readers ask Postgres until it is filled. A writer that was filling it before
    /// learns from its next write that its guard does not hold any more.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn start_filling(&self, filling: Uuid) -> RedisResult<()> {
        redis::pipe()
            .atomic()
            .unlink(&*self.key)
            .ignore()
            .hset(&*self.key, FILLING, filling.to_string())
            .ignore()
            .exec_async(&mut self.connection.clone())
            .await
    }

    /// Writes the documents of those rows that are not older than the bucket's, and the checkpoint if there is one, after which
    /// the bucket is filled. Returns false and writes nothing if the guard does not hold.
    ///
    /// # Errors
    /// If Redis does not answer in time; the write may have happened.
    pub async fn write(
        &self,
        guard: Guard,
        rows: &[StoredRow],
        checkpoint: Option<LogPoint>,
    ) -> RedisResult<bool> {
        let mut invocation = WRITE.key(&*self.key);
        match guard {
            Guard::Checkpoint(at) => invocation.arg(CHECKPOINT).arg(text(at)),
            Guard::Filling(id) => invocation.arg(FILLING).arg(id.to_string()),
        };
        invocation.arg(checkpoint.map(text).unwrap_or_default());
        for row in rows {
            let document = row.document.as_deref().unwrap_or_default();
            invocation
                .arg(row.id.to_string())
                .arg(row.position)
                .arg(document);
        }
        invocation.invoke_async(&mut self.connection.clone()).await
    }
}

/// A checkpoint as it is stored.
fn text(LogPoint { position, event_id }: LogPoint) -> String {
    format!("{position} {}", event_id.unwrap_or_default())
}

/// The checkpoint that a text stands for, if it is one.
fn point(text: &str) -> Option<LogPoint> {
    let (position, event_id) = text.split_once(' ')?;
    let event_id = event_id.parse().ok();
    Some(LogPoint {
        position: position.parse().ok()?,
        event_id: event_id.filter(|id: &Uuid| !id.is_nil()),
    })
}
