//! Hot documents: those that many ask for are answered from memory or Redis instead of Postgres.

use std::time::Duration;

use moka::future::Cache;
use secrecy::ExposeSecret;
use tidemark_platform::config;
use tidemark_platform::tidemark::Token;
use tidemark_read_models::ReadModel;
use tidemark_read_models::redis::Documents;
use uuid::Uuid;

use super::document::Document;
use crate::freshness::Checkpoints;

/// A read model, one of its generations, and a row.
type Key = (&'static str, i32, Uuid);

/// The documents in Redis, and those that were read from there a moment ago.
pub(crate) struct HotDocuments {
    /// `None` if no Redis is configured: then there are no hot documents.
    redis: Option<Documents>,
    /// Documents that were read a moment ago, so that Redis is asked seldom for one that all want.
    memory: Cache<Key, Document>,
    /// They say which generation serves queries.
    checkpoints: Checkpoints,
}

impl HotDocuments {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// If the URL of Redis is not valid.
    pub(crate) fn new(
        redis: &config::Redis,
        limits: &config::Query,
        checkpoints: Checkpoints,
    ) -> redis::RedisResult<Self> {
        // Documents stay in memory for a time that is short beside the delay of rows and of Redis.
        let memory = Cache::builder()
            .time_to_live(Duration::from_millis(limits.hot_cache_ms))
            .max_capacity(limits.hot_cache_documents_max)
            .build();
        Ok(Self {
            redis: connect(redis)?,
            memory,
            checkpoints,
        })
    }

    /// The document, if memory or Redis has it and it is fresh enough for `token`.
    pub(crate) async fn get<M: ReadModel>(
        &self,
        id: Uuid,
        token: Option<Token>,
    ) -> Option<Document> {
        let redis = self.redis.as_ref()?;
        let shard = self.checkpoints.shard_of::<M>(id)?;
        let is_fresh_enough = |reflected: Token| {
            token.is_none_or(|token| {
                token.timeline == reflected.timeline && token.position <= reflected.position
            })
        };
        let key = (M::NAME, shard.generation, id);
        if let Some(known) = self.memory.get(&key).await
            && is_fresh_enough(known.token)
        {
            count("memory");
            return Some(known);
        }
        let cached = redis
            .get(M::NAME, shard.generation, shard.shards, id)
            .await
            .inspect_err(|error| tracing::debug!(%error, "Redis does not answer"))
            .ok()??;
        let reflected = Token {
            timeline: shard.timeline,
            position: cached.position.max(cached.checkpoint),
        };
        // A shard that is blocked at an earlier position has lost what the bucket still holds.
        let is_lost = shard.blocked_at.is_some_and(|at| at < reflected.position);
        let json = cached
            .document
            .filter(|_| !is_lost && is_fresh_enough(reflected));
        count(if json.is_some() { "hit" } else { "miss" });
        let found = Document::new(reflected, json?);
        self.memory.insert(key, found.clone()).await;
        Some(found)
    }
}

/// Counts where a document was found: in `memory`, in Redis (`hit`), or in neither (`miss`).
fn count(found: &'static str) {
    metrics::counter!("tidemark_query_hot_documents_total", "found" => found).increment(1);
}

/// `None` if no URL is configured.
fn connect(redis: &config::Redis) -> redis::RedisResult<Option<Documents>> {
    let timeout = Duration::from_millis(redis.response_timeout_ms);
    let url = Some(redis.url.expose_secret()).filter(|url| !url.is_empty());
    let documents = url.map(|url| Documents::new(url, &redis.key_prefix, timeout));
    documents.transpose()
}
