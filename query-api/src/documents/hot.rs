//! Hot documents: those that many ask for are answered from memory or Redis instead of Postgres.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use secrecy::ExposeSecret;
use tidemark_platform::config;
use tidemark_platform::tidemark::Token;
use tidemark_read_models::ReadModel;
use tidemark_read_models::redis::{CachedDocument, Documents};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::breaker::{Breaker, Call, Change, Limits};
use super::document::Document;
use crate::freshness::{Checkpoints, ShardStatus};

/// After a wait in vain nobody waits for so many times as long.
const IN_VAIN: u32 = 10;

/// A read model, one of its generations, and a row.
type Key = (&'static str, i32, Uuid);

/// The documents in Redis, and those that were read from there a moment ago.
pub(crate) struct HotDocuments {
    /// `None` if no Redis is configured: then there are no hot documents.
    redis: Option<Redis>,
    /// Documents that were read a moment ago, so that Redis is asked seldom for one that all want.
    memory: Cache<Key, Document>,
    /// They say which generation serves queries, and how far the documents must be.
    checkpoints: Checkpoints,
    wait: Wait,
}

/// For how long Redis is waited for that does not have yet what a row has.
struct Wait {
    most: Duration,
    /// The pause before it is asked again.
    retry: Duration,
    /// When Redis was waited for in vain: then it is behind, and to ask it again and again would only add to its work.
    in_vain_at: Mutex<Option<Instant>>,
}

/// Redis, as long as it answers.
struct Redis {
    documents: Documents,
    breaker: Breaker,
    /// How long a query waits for an answer.
    patience: Duration,
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
            redis: Redis::new(redis)?,
            memory,
            checkpoints,
            wait: Wait {
                most: Duration::from_millis(limits.hot_wait_ms),
                retry: Duration::from_millis(limits.hot_retry_ms),
                in_vain_at: Mutex::default(),
            },
        })
    }

    /// The document, if memory or Redis has it and it is fresh enough: for `token`, and beside the rows as they were
    /// `query.hot_lag_max_ms` ago.
    pub(crate) async fn get<M: ReadModel>(
        &self,
        id: Uuid,
        token: Option<Token>,
    ) -> Option<Document> {
        // Others are never there, so Redis is not asked for them.
        let redis = self.redis.as_ref().filter(|_| M::IN_REDIS)?;
        let (shard, due) = self.checkpoints.shard_of::<M>(id)?;
        let keeps_up =
            |reflected: Token| reflected.timeline == shard.timeline && due <= reflected.position;
        let is_fresh_enough = |reflected: Token| {
            token.is_none_or(|token| {
                token.timeline == reflected.timeline && token.position <= reflected.position
            })
        };
        let key = (M::NAME, shard.generation, id);
        if let Some(known) = self.memory.get(&key).await
            && keeps_up(known.token)
            && is_fresh_enough(known.token)
        {
            count("memory");
            return Some(known);
        }
        // Redis is written after the rows, so it is about to have what a row has.
        let is_awaited = |reflected: Token| {
            !is_fresh_enough(reflected)
                && token.is_some_and(|token| {
                    token.timeline == shard.timeline && token.position <= shard.position
                })
        };
        let (mut cached, mut reflected) = redis.get(&shard, id).await?;
        if keeps_up(reflected) && is_awaited(reflected) && self.wait.is_worth_while() {
            let deadline = Instant::now() + self.wait.most;
            while is_awaited(reflected) && Instant::now() < deadline {
                sleep_until(deadline.min(Instant::now() + self.wait.retry)).await;
                (cached, reflected) = redis.get(&shard, id).await?;
            }
            if is_awaited(reflected) {
                self.wait.was_in_vain();
            }
        }
        if !keeps_up(reflected) {
            count("stale");
            return None;
        }
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

impl Wait {
    /// Whether nobody has waited in vain a short time ago.
    fn is_worth_while(&self) -> bool {
        self.in_vain_at()
            .is_none_or(|at| at.elapsed() > IN_VAIN * self.most)
    }

    fn was_in_vain(&self) {
        *self.in_vain_at() = Some(Instant::now());
    }

    fn in_vain_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.in_vain_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis {
    /// `None` if no URL is configured.
    fn new(settings: &config::Redis) -> redis::RedisResult<Option<Self>> {
        let response_timeout = Duration::from_millis(settings.response_timeout_ms);
        let silence = Duration::from_millis(settings.breaker_silence_ms);
        let url = Some(settings.url.expose_secret()).filter(|url| !url.is_empty());
        let Some(url) = url else {
            return Ok(None);
        };
        metrics::gauge!("tidemark_query_redis_given_up").set(0.0);
        Ok(Some(Self {
            documents: Documents::new(url, &settings.key_prefix, response_timeout)?,
            breaker: Breaker::new(Limits {
                failures: settings.breaker_failures,
                open: Duration::from_millis(settings.breaker_open_ms),
                silence,
            }),
            patience: silence,
        }))
    }

    /// What Redis holds of a row of this shard and what that reflects, if it answers soon and the bucket is filled. A
    /// query that has waited long enough leaves the call, which goes on without it, because its outcome decides
    /// whether others are made. No query waits to see whether Redis is back.
    async fn get(&self, shard: &ShardStatus, id: Uuid) -> Option<(CachedDocument, Token)> {
        let Some(call) = self.breaker.call() else {
            count("skipped");
            return None;
        };
        let is_probe = call.is_probe();
        let mut asked = Box::pin(ask(self.documents.clone(), call, shard.clone(), id));
        if is_probe {
            tokio::spawn(asked);
            count("skipped");
            return None;
        }
        let Ok(answer) = timeout(self.patience, &mut asked).await else {
            tokio::spawn(asked);
            count("failed");
            return None;
        };
        match answer {
            Ok(Some(cached)) => {
                let reflected = Token {
                    timeline: shard.timeline,
                    position: cached.position.max(cached.checkpoint),
                };
                Some((cached, reflected))
            }
            Ok(None) => {
                count("miss");
                None
            }
            Err(_) => {
                count("failed");
                None
            }
        }
    }
}

/// What Redis holds of a row of this shard. The breaker is told whether it answers.
async fn ask(
    documents: Documents,
    call: Call,
    shard: ShardStatus,
    id: Uuid,
) -> redis::RedisResult<Option<CachedDocument>> {
    let cached = documents
        .get(
            shard.timeline,
            &shard.read_model,
            shard.generation,
            shard.shards,
            id,
        )
        .await;
    let change = match &cached {
        Ok(_) => call.succeeded(),
        Err(_) => call.failed(),
    };
    match (change, &cached) {
        (Some(Change::Opened), Err(error)) => {
            tracing::warn!(%error, "Redis does not answer, so documents are read from the rows for now");
            metrics::gauge!("tidemark_query_redis_given_up").set(1.0);
        }
        (Some(Change::Closed), _) => {
            tracing::info!("Redis answers again");
            metrics::gauge!("tidemark_query_redis_given_up").set(0.0);
        }
        (_, Err(error)) => tracing::debug!(%error, "Redis does not answer"),
        (_, Ok(_)) => {}
    }
    cached
}

/// Counts where a document was found: in `memory` or in Redis (`hit`); or why not: Redis has no document that is
/// fresh enough for the query (`miss`), its documents are too far behind the rows (`stale`), it does not answer
/// (`failed`), or it was not asked because it has not answered (`skipped`).
fn count(found: &'static str) {
    metrics::counter!("tidemark_query_hot_documents_total", "found" => found).increment(1);
}
