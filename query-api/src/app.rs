//! What all handlers share.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use tidemark_event_store::{Log, LookupKey, SubjectKeys, TimedPool};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::required;
use tidemark_platform::fair_semaphore::FairSemaphore;
use tidemark_platform::media_store::MediaStore;
use tidemark_platform::pagination::Cursors;
use tidemark_platform::shares::Shares;
use tidemark_platform::tidemark::Token;
use tidemark_platform::{Config, config, pagination};
use tidemark_read_models::ReadModel;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::documents::{Document, HotDocuments};
use crate::downloads::Downloads;
use crate::error::{Error, NamedBy};
use crate::freshness::{Fetched, Freshness, QueriedShards, on_timeline};
use crate::live::{Readers, Sessions, Updates};
use crate::pools::Pools;
use crate::reading_recorder::ReadingRecorder;
use crate::start_error::StartError;
use crate::watcher::Watcher;

/// The most unwrapped keys of subjects that are kept in memory.
const SUBJECT_KEYS_CACHED_MAX: u64 = 100_000;

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts of an [`App`].
pub(crate) struct Parts {
    /// Connections to Postgres.
    pub(crate) pools: Pools,
    /// Repeats queries until they are fresh enough.
    pub(crate) freshness: Freshness,
    /// Documents by id that need not be read from Postgres.
    hot_documents: HotDocuments,
    /// The log, for the audit trail.
    pub(crate) log: Log,
    /// The bytes of media; none if this deployment keeps none.
    pub(crate) media: Option<MediaStore>,
    /// For how long browsers and proxies may keep media without asking, in seconds.
    pub(crate) media_cached_s: u32,
    /// Whose turn it is to have bytes of media read that are not sent.
    pub(crate) media_turns: Arc<FairSemaphore<IpAddr>>,
    /// The pictures that are being sent.
    pub(crate) downloads: Downloads,
    /// The time of Postgres.
    pub(crate) clock: Clock,
    /// Opens sealed personal data.
    pub(crate) subject_keys: SubjectKeys,
    /// Makes the keyed hashes by which addresses are looked up.
    pub(crate) lookup_key: LookupKey,
    /// Signs and reads the cursors of pages.
    pub(crate) cursors: Cursors,
    /// The live updates of auctions.
    pub(crate) live_auctions: Updates,
    /// The live updates of inboxes.
    pub(crate) live_inboxes: Updates,
    /// The sessions whose end also ends live updates.
    pub(crate) sessions: Sessions,
    /// Puts readings of history on record.
    pub(crate) reading_recorder: ReadingRecorder,
    /// The live updates that are open, by the address of their client.
    pub(crate) live_update_addresses: Shares<IpAddr>,
    /// The live updates of what is one user's own, by the user.
    pub(crate) live_update_users: Shares<Uuid>,
    /// One permit for each live update that may be open.
    pub(crate) live_update_permits: Arc<Semaphore>,
    /// The limits of queries.
    pub(crate) limits: config::Query,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Builds all parts. Nothing is connected yet, and checkpoints and live updates come once `watcher`,
    /// `readers` and `sessions` run.
    ///
    /// # Errors
    /// If a setting is missing or cannot be used.
    pub(crate) fn new(
        config: &Config,
        pools: Pools,
        watcher: &Watcher,
        (readers, sessions): (&Readers, Sessions),
        clock: Clock,
    ) -> Result<Self, StartError> {
        let limits = config.query.clone();
        let checkpoints = watcher.checkpoints();
        let wait = Duration::from_millis(limits.wait_ms);
        Ok(Self(Arc::new(Parts {
            freshness: Freshness::new(&pools, checkpoints.clone(), wait),
            hot_documents: HotDocuments::new(&config.redis, &limits, checkpoints)?,
            log: Log::new(pools.audit.clone()),
            media: MediaStore::from_config(config)?,
            media_cached_s: config.media.cached_s,
            media_turns: Arc::new(FairSemaphore::new(config.media.compared_ranges_max)),
            downloads: Downloads::new(config),
            clock,
            subject_keys: subject_keys(config, pools.documents.clone())?,
            lookup_key: lookup_key(config)?,
            cursors: Cursors::new(&config.sealing.lookup_key),
            live_auctions: readers.auctions(),
            live_inboxes: readers.inboxes(),
            sessions,
            reading_recorder: ReadingRecorder::new(config)?,
            live_update_addresses: Shares::default(),
            live_update_users: Shares::default(),
            live_update_permits: Arc::new(Semaphore::new(limits.sse_clients_max)),
            limits,
            pools,
        })))
    }

    /// The document of a row that is fresh enough for `token`: from memory or Redis if one of them has
    /// it, else from Postgres by `query`.
    ///
    /// # Errors
    /// As for [`Freshness::fetch`]; [`Error::NotFound`] if there is no such row.
    pub(crate) async fn document<M: ReadModel, F>(
        &self,
        id: Uuid,
        token: Option<Token>,
        query: impl Fn() -> F,
    ) -> Result<Document, Error>
    where
        F: Future<Output = sqlx::Result<Fetched<String>>>,
    {
        let shard = [QueriedShards::of_row::<M>(id)];
        let deadline = self.freshness.wait_for_shards(token, &shard).await;
        if let Some(hot) = self.hot_documents.get::<M>(id, token).await {
            return Ok(hot);
        }
        let fetched = self.freshness.fetch_before(deadline, token, &shard, query);
        Document::from_fetched(fetched.await?)
    }

    /// Where the previous page ended, which is `None` for the first page, and the position that this page
    /// must reflect: that of the client's `token` or of the previous page, whichever is later.
    ///
    /// # Errors
    /// If the cursor was not made for the list that `scope` names; [`Error::OtherTimeline`] if it or the token is of a
    /// future that the log has lost.
    pub(crate) async fn resume<E: DeserializeOwned>(
        &self,
        scope: &str,
        cursor: Option<&str>,
        token: Option<Token>,
    ) -> Result<(Option<E>, Option<Token>), Error> {
        let Some(cursor) = cursor else {
            return Ok((None, token));
        };
        let (timeline, position, page_end) = self.cursors.decode(scope, cursor)?;
        let mut reflects = Token { timeline, position };
        if let Some(token) = token {
            let newer = timeline.max(token.timeline);
            let pool = &self.pools.prompt;
            let token = on_timeline(pool, token, NamedBy::Token, newer).await?;
            reflects = on_timeline(pool, reflects, NamedBy::Token, newer).await?;
            reflects.position = reflects.position.max(token.position);
        }
        Ok((Some(page_end), Some(reflects)))
    }

    /// The number of items on a page: what the client `asked` for, or the default.
    ///
    /// # Errors
    /// If the client asked for none or for too many.
    pub(crate) fn limit(&self, asked: Option<i64>) -> Result<i64, Error> {
        Ok(pagination::limit(asked, &self.limits)?)
    }
}

fn lookup_key(config: &Config) -> Result<LookupKey, StartError> {
    let key = required(&config.sealing.lookup_key, "sealing.lookup_key")?;
    let key = STANDARD.decode(key).map_err(|_| StartError::LookupKey)?;
    LookupKey::new(key).map_err(|_| StartError::LookupKey)
}

fn subject_keys(config: &Config, pool: TimedPool) -> Result<SubjectKeys, StartError> {
    let sealing = &config.sealing;
    let master = required(&sealing.master_key, "sealing.master_key")?;
    let master = STANDARD
        .decode(master)
        .map_err(|_| StartError::SealingKey)?;
    let ttl = Duration::from_secs(sealing.key_cache_s);
    Ok(SubjectKeys::new(
        pool,
        &master,
        ttl,
        SUBJECT_KEYS_CACHED_MAX,
    )?)
}
