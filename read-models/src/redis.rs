//! Hot documents in Redis: one hash a shard of a generation of a read model (its bucket), with a
//! document a field and the shard's checkpoint among them, so that data and checkpoint are only ever
//! lost together.
//!
//! A document's field is its id and its value `<position> <json>`; without JSON, the row is gone.
//! Nothing here decides when to write: a follower of the rows does.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisResult, Script};
use uuid::Uuid;

use crate::Shard;
use crate::storage::{Batch, Document};

const CHECKPOINT: &str = "@checkpoint";
const FILLING: &str = "@filling";

static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/write.lua")));

/// The documents of all read models. Clones share a connection, which is made when it is needed.
#[derive(Clone)]
pub struct Documents {
    connection: ConnectionManager,
    key_prefix: Arc<str>,
}

/// What a bucket says of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Of the last event that touched it; 0 if none has.
    pub position: i64,
    /// All events up to here are in the bucket.
    pub checkpoint: i64,
    /// JSON text; none where there is no such row.
    pub doc: Option<String>,
}

/// The documents of one shard of a generation of a read model, for writing.
#[derive(Clone)]
pub struct Bucket {
    connection: ConnectionManager,
    key: Arc<str>,
}

/// What a bucket must hold for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Its checkpoint is here.
    Checkpoint(i64),
    /// It is being filled, by whoever chose this id.
    Filling(Uuid),
}

impl Documents {
    /// The documents at that URL, under keys with that prefix. No command takes longer than
    /// `response_timeout`. Needs a runtime.
    ///
    /// # Errors
    /// If `url` is not a URL of Redis.
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

    /// What Redis knows of a row of a generation that is divided into so many shards; `None` if its
    /// bucket is not filled.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn get(
        &self,
        read_model: &str,
        generation: i32,
        shards: i32,
        id: Uuid,
    ) -> RedisResult<Option<Cached>> {
        let key = self.key(read_model, generation, Shard::of(id, shards));
        let fields = [CHECKPOINT, &id.to_string()];
        let (checkpoint, value): (Option<i64>, Option<String>) =
            self.connection.clone().hmget(key, &fields).await?;
        Ok(checkpoint.map(|checkpoint| Cached::new(checkpoint, value.as_deref())))
    }

    /// The bucket of a shard, for its follower.
    #[must_use]
    pub fn bucket(&self, read_model: &str, generation: i32, shard: Shard) -> Bucket {
        Bucket {
            connection: self.connection.clone(),
            key: self.key(read_model, generation, shard).into(),
        }
    }

    /// The braces keep a bucket on one node of a cluster.
    fn key(&self, read_model: &str, generation: i32, shard: Shard) -> String {
        let (prefix, bucket) = (&self.key_prefix, shard.number);
        format!("{prefix}:{{{read_model}.{generation}.{bucket}}}")
    }
}

impl Cached {
    fn new(checkpoint: i64, value: Option<&str>) -> Self {
        let (position, doc) = value
            .and_then(|value| value.split_once(' '))
            .unwrap_or(("0", ""));
        Self {
            position: position.parse().unwrap_or(0),
            checkpoint,
            doc: (!doc.is_empty()).then(|| doc.to_owned()),
        }
    }
}

impl Bucket {
    /// All events up to here are in the bucket; `None` if it is not filled.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn checkpoint(&self) -> RedisResult<Option<i64>> {
        self.connection.clone().hget(&*self.key, CHECKPOINT).await
    }

    /// Writes what a batch changed, at most `script_documents_max` documents at a time. False if the
    /// bucket is not where the batch starts.
    ///
    /// # Errors
    /// If Redis does not answer in time; the write may have happened.
    pub async fn apply(&self, batch: &Batch, script_documents_max: usize) -> RedisResult<bool> {
        let guard = Guard::Checkpoint(batch.from);
        for documents in batch.documents.chunks(script_documents_max) {
            if !self.write(guard, documents, None).await? {
                return Ok(false);
            }
        }
        self.write(guard, &[], Some(batch.to)).await
    }

    /// Empties the bucket, which is unknown to readers from then on. Whoever was filling it is told
    /// by their next write.
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

    /// Writes documents where they are newer, then the checkpoint if there is one. False, and
    /// nothing is written, if the guard does not hold.
    ///
    /// # Errors
    /// If Redis does not answer in time; the write may have happened.
    pub async fn write(
        &self,
        guard: Guard,
        documents: &[Document],
        checkpoint: Option<i64>,
    ) -> RedisResult<bool> {
        let mut invocation = WRITE.key(&*self.key);
        match guard {
            Guard::Checkpoint(position) => invocation.arg(CHECKPOINT).arg(position),
            Guard::Filling(id) => invocation.arg(FILLING).arg(id.to_string()),
        };
        invocation.arg(
            checkpoint
                .map(|position| position.to_string())
                .unwrap_or_default(),
        );
        for document in documents {
            let doc = document.doc.as_deref().unwrap_or_default();
            invocation
                .arg(document.id.to_string())
                .arg(document.position)
                .arg(doc);
        }
        invocation.invoke_async(&mut self.connection.clone()).await
    }
}
