//! What the handlers share, and the two ways to a document: from Redis where that is recent enough,
//! else from Postgres, waited for until it is.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moka::future::Cache;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use tidemark_event_store::{Keys, Log, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::pagination::Cursors;
use tidemark_platform::token::Token;
use tidemark_platform::{Config, config, pagination};
use tidemark_read_models::ReadModel;
use tidemark_read_models::redis::Documents;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::StartError;
use crate::answer::One;
use crate::error::Error;
use crate::recorder::Recorder;
use crate::snapshot::Snapshot;
use crate::watch::{Rows, Watch};

/// Open keys of data subjects kept in memory.
const KEYS_CACHED: u64 = 100_000;

/// By read model, generation and id.
type Recent = Cache<(&'static str, i32, Uuid), One>;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub(crate) struct Parts {
    /// The read models.
    pub(crate) pool: PgPool,
    /// The hot documents, where there is Redis.
    pub(crate) documents: Option<Documents>,
    /// Hot documents that were read a moment ago, so that one that all ask for is read seldom.
    pub(crate) recent: Recent,
    /// The log, for auditors.
    pub(crate) log: Log,
    /// Open personal data.
    pub(crate) keys: Keys,
    /// Sign where a page ends.
    pub(crate) cursors: Cursors,
    /// Says when to look again.
    pub(crate) watch: Watch,
    /// Puts readings of history on record.
    pub(crate) recorder: Recorder,
    /// One permit a live update.
    pub(crate) live_places: Arc<Semaphore>,
    /// The limits of reading.
    pub(crate) limits: config::Query,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// All of it. Nothing is connected yet.
    ///
    /// # Errors
    /// If the configuration lacks something, or holds something unusable.
    pub(crate) fn new(config: &Config, pool: PgPool) -> Result<Self, StartError> {
        let limits = config.query.clone();
        required(&config.sealing.lookup_key, "sealing.lookup_key")?;
        let timed = TimedPool::new(pool.clone(), config.database.response_timeout());
        Ok(Self(Arc::new(Parts {
            documents: documents(&config.redis)?,
            recent: recent(&limits),
            log: Log::new(timed.clone()),
            keys: keys(config, pool.clone())?,
            cursors: Cursors::new(&config.sealing.lookup_key),
            watch: Watch::new(timed, &limits),
            recorder: Recorder::new(config)?,
            live_places: Arc::new(Semaphore::new(limits.sse_clients_max)),
            limits,
            pool,
        })))
    }

    /// The document, from wherever it is recent enough: memory, Redis, else the rows that `query` reads.
    ///
    /// # Errors
    /// As of [`App::settled`]; if there is none.
    pub(crate) async fn document<M: ReadModel, F>(
        &self,
        id: Uuid,
        token: Option<Token>,
        query: impl Fn() -> F,
    ) -> Result<One, Error>
    where
        F: Future<Output = sqlx::Result<Snapshot<String>>>,
    {
        let (deadline, rows) = (self.deadline(), [Rows::one::<M>(id)]);
        self.expect(deadline, token, &rows).await;
        match self.hot::<M>(id, token).await {
            Some(hot) => Ok(hot),
            None => self.settled_by(deadline, token, &rows, query).await?.one(),
        }
    }

    /// The document as it was read a moment ago, or as Redis has it, if that reflects `token`.
    async fn hot<M: ReadModel>(&self, id: Uuid, token: Option<Token>) -> Option<One> {
        let documents = self.documents.as_ref()?;
        let serving = self.watch.serving::<M>(id)?;
        let is_recent = |reflected: Token| {
            token.is_none_or(|token| {
                token.timeline == reflected.timeline && token.position <= reflected.position
            })
        };
        let key = (M::NAME, serving.generation, id);
        if let Some(known) = self.recent.get(&key).await
            && is_recent(known.token)
        {
            count("memory");
            return Some(known);
        }
        let cached = documents
            .get(M::NAME, serving.generation, serving.shards, id)
            .await;
        let cached = cached
            .inspect_err(|error| tracing::debug!(%error, "Redis"))
            .ok()??;
        let reflected = Token {
            timeline: serving.timeline,
            position: cached.position.max(cached.checkpoint),
        };
        let document = cached.doc.filter(|_| is_recent(reflected));
        count(if document.is_some() { "hit" } else { "miss" });
        let found = One::new(reflected, document?);
        self.recent.insert(key, found.clone()).await;
        Some(found)
    }

    /// What `query` sees, once that reflects `token`. It must read rows and checkpoints in one
    /// statement; `rows` are those that it reads.
    ///
    /// # Errors
    /// If the rows do not reflect the token in time, or never will.
    pub(crate) async fn settled<T, F>(
        &self,
        token: Option<Token>,
        rows: impl AsRef<[Rows]>,
        query: impl Fn() -> F,
    ) -> Result<Snapshot<T>, Error>
    where
        F: Future<Output = sqlx::Result<Snapshot<T>>>,
    {
        let deadline = self.deadline();
        self.expect(deadline, token, rows.as_ref()).await;
        self.settled_by(deadline, token, rows.as_ref(), query).await
    }

    /// Waits until the rows are seen to reflect `token`, or not to be going to: nothing is asked before
    /// there can be an answer. What a query then sees decides, also when there is no more time.
    async fn expect(&self, deadline: Instant, token: Option<Token>, rows: &[Rows]) {
        if let Some(token) = token {
            let _ = timeout_at(deadline, self.watch.glances().reach(rows, token)).await;
        }
    }

    async fn settled_by<T, F>(
        &self,
        deadline: Instant,
        token: Option<Token>,
        rows: &[Rows],
        query: impl Fn() -> F,
    ) -> Result<Snapshot<T>, Error>
    where
        F: Future<Output = sqlx::Result<Snapshot<T>>>,
    {
        let Some(token) = token else {
            return Ok(query().await?);
        };
        let mut glances = self.watch.glances();
        loop {
            let snapshot = query().await?;
            if snapshot.reflects(Some(token))? {
                return Ok(snapshot);
            }
            let next = timeout_at(deadline, glances.next(rows, token)).await;
            next.map_err(|_| Error::Behind)?;
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.limits.wait_ms)
    }

    /// Where the page before ended, in the query that `scope` names.
    ///
    /// # Errors
    /// If the cursor is of another query.
    pub(crate) fn cursor<K: DeserializeOwned>(
        &self,
        scope: &str,
        cursor: Option<&str>,
    ) -> Result<Option<K>, Error> {
        let key = cursor.map(|cursor| self.cursors.decode(scope, cursor));
        Ok(key.transpose()?)
    }

    /// The number of items on a page.
    ///
    /// # Errors
    /// If the client asks for none or too many.
    pub(crate) fn limit(&self, asked: Option<i64>) -> Result<i64, Error> {
        Ok(pagination::limit(asked, &self.limits)?)
    }
}

/// Where hot documents are found.
fn count(found: &'static str) {
    metrics::counter!("tidemark_query_hot_documents_total", "found" => found).increment(1);
}

/// For so short a time that it is no older than rows and documents are anyway.
fn recent(limits: &config::Query) -> Recent {
    Recent::builder()
        .time_to_live(Duration::from_millis(limits.hot_cache_ms))
        .max_capacity(limits.hot_cache_documents_max)
        .build()
}

/// None without a URL.
fn documents(redis: &config::Redis) -> Result<Option<Documents>, StartError> {
    let timeout = Duration::from_millis(redis.response_timeout_ms);
    let url = Some(redis.url.expose_secret()).filter(|url| !url.is_empty());
    let documents = url.map(|url| Documents::new(url, &redis.key_prefix, timeout));
    Ok(documents.transpose()?)
}

fn keys(config: &Config, pool: PgPool) -> Result<Keys, StartError> {
    let sealing = &config.sealing;
    let master = required(&sealing.master_key, "sealing.master_key")?;
    let master = STANDARD
        .decode(master)
        .map_err(|_| StartError::SealingKey)?;
    let ttl = Duration::from_secs(sealing.key_cache_s);
    Ok(Keys::new(pool, &master, ttl, KEYS_CACHED)?)
}
