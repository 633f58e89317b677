//! Loading what decisions rest on, outside the loop that decides: all that is wanted at once, with one
//! query of each kind. Also keeps the states of long streams, so that the next load is short.
//!
//! What it folds is read from the log, so it never loads or keeps what is not committed.

use std::collections::HashMap;
use std::future::ready;

use futures::TryStreamExt;
use tidemark_domain::{Claim, Load, Loaded, StateSnapshot};
use tidemark_event_store::{Log, Snapshot, TimedPool};
use tidemark_events::{Aggregate, Recorded};
use uuid::Uuid;

use crate::error::Error;

/// Events of a stream read at once.
const PAGE: i64 = 1_000;

/// What came of loading something.
pub(super) enum Loading {
    /// A stream as it is.
    Stream(Uuid, Result<Loaded, Error>),
    /// Who owns a claim.
    Claim(Claim, Result<Option<Uuid>, Error>),
}

/// Reads streams and claims.
#[derive(Clone)]
pub(super) struct Loader {
    pool: TimedPool,
    log: Log,
    snapshot_every: i64,
}

/// A stream while its events are read.
struct Folding {
    kept_version: i64,
    loaded: Result<Loaded, Error>,
}

impl Loader {
    /// A loader that keeps the state of a stream once it had to read more than `snapshot_every` events.
    pub(super) fn new(pool: TimedPool, snapshot_every: i64) -> Self {
        Self {
            log: Log::new(pool.clone()),
            pool,
            snapshot_every,
        }
    }

    /// The state of a stream.
    pub(super) async fn stream(&self, id: Uuid) -> Result<Loaded, Error> {
        let folding = self.fold(&[id]).await?.remove(&id);
        folding.map_or_else(|| Ok(Loaded::default()), |folding| folding.loaded)
    }

    /// Who owns a claim.
    pub(super) async fn owner(&self, claim: &Claim) -> Result<Option<Uuid>, Error> {
        let owners = self.owners(std::slice::from_ref(claim)).await?;
        Ok(owners.into_iter().next().flatten())
    }

    /// Everything that is wanted.
    pub(super) async fn load(&self, wanted: Vec<Load>) -> Vec<Loading> {
        let (mut streams, mut claims) = (Vec::new(), Vec::new());
        for load in wanted {
            match load {
                Load::Stream(id) => streams.push(id),
                Load::Claim(claim) => claims.push(claim),
            }
        }
        let (folded, owners) = tokio::join!(self.fold(&streams), self.owners(&claims));
        let streams = match folded {
            Ok(folded) => {
                self.save_long(&folded);
                let found = folded.into_iter();
                found.map(|(id, folding)| (id, folding.loaded)).collect()
            }
            Err(error) => fail(streams, &error),
        };
        let claims = match owners {
            Ok(owners) => claims.into_iter().zip(owners.into_iter().map(Ok)).collect(),
            Err(error) => fail(claims, &error),
        };
        let streams = streams
            .into_iter()
            .map(|(id, found)| Loading::Stream(id, found));
        let claims = claims
            .into_iter()
            .map(|(claim, found)| Loading::Claim(claim, found));
        streams.chain(claims).collect()
    }

    /// Keeps the states of these streams as the log has them now.
    pub(super) async fn snapshot(&self, streams: Vec<Uuid>) {
        match self.fold(&streams).await {
            Ok(folded) => self.save(kept(&folded, 0)).await,
            Err(error) => tracing::warn!(%error, "cannot load what is to be kept"),
        }
    }

    async fn owners(&self, claims: &[Claim]) -> Result<Vec<Option<Uuid>>, Error> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let scopes: Vec<_> = claims.iter().map(|c| c.scope.name().to_owned()).collect();
        let keys: Vec<_> = claims.iter().map(|c| c.key.clone()).collect();
        Ok(self.log.claim_owners(&scopes, &keys).await?)
    }

    /// The states of streams: what was kept of them, and the events since.
    async fn fold(&self, streams: &[Uuid]) -> Result<HashMap<Uuid, Folding>, Error> {
        if streams.is_empty() {
            return Ok(HashMap::new());
        }
        let empty = |id: &Uuid| (*id, Folding::from(Loaded::default()));
        let mut folded: HashMap<_, _> = streams.iter().map(empty).collect();
        for snapshot in Snapshot::load(&self.pool, streams).await? {
            if let Some(loaded) = restore(&snapshot) {
                folded.insert(snapshot.stream_id, loaded.into());
            }
        }
        let mut open = streams.to_vec();
        while !open.is_empty() {
            let after: Vec<_> = open.iter().map(|id| folded[id].version()).collect();
            let page = self.log.streams(&open, &after, PAGE);
            let read = page.try_for_each(|event| {
                if let Some(folding) = folded.get_mut(&event.stream_id) {
                    folding.apply(&event);
                }
                ready(Ok(()))
            });
            self.pool.with_timeout(read).await?;
            let is_cut = |(id, after): &(Uuid, i64)| folded[id].version() == after + PAGE;
            let cut = open.into_iter().zip(after).filter(is_cut);
            open = cut.map(|(id, _)| id).collect();
        }
        Ok(folded)
    }

    /// Nobody waits for it.
    fn save_long(&self, folded: &HashMap<Uuid, Folding>) {
        let long = kept(folded, self.snapshot_every);
        if !long.is_empty() {
            let this = self.clone();
            tokio::spawn(async move { this.save(long).await });
        }
    }

    async fn save(&self, states: Vec<(Uuid, i64, StateSnapshot)>) {
        for (id, version, kept) in states {
            let saved = Snapshot::save(&self.pool, id, version, kept.state_version, &kept.state);
            if let Err(error) = saved.await {
                tracing::warn!(%error, stream_id = %id, "cannot keep a state");
            }
        }
    }
}

impl From<Loaded> for Folding {
    fn from(loaded: Loaded) -> Self {
        Self {
            kept_version: loaded.version,
            loaded: Ok(loaded),
        }
    }
}

impl Folding {
    fn version(&self) -> i64 {
        self.loaded.as_ref().map_or(0, |loaded| loaded.version)
    }

    /// Takes the next event in. After one that this build cannot read there is no state.
    fn apply(&mut self, recorded: &Recorded) {
        if let Ok(loaded) = &mut self.loaded {
            match recorded.decode() {
                Ok(event) => loaded.apply(&event, recorded.recorded_at),
                Err(error) => self.loaded = Err(error.into()),
            }
        }
    }
}

fn fail<K, T>(wanted: Vec<K>, error: &Error) -> Vec<(K, Result<T, Error>)> {
    wanted
        .into_iter()
        .map(|key| (key, Err(error.clone())))
        .collect()
}

/// The states that took more than `longer_than` events to load, as text.
fn kept(folded: &HashMap<Uuid, Folding>, longer_than: i64) -> Vec<(Uuid, i64, StateSnapshot)> {
    let long = folded.iter().filter_map(|(id, folding)| {
        let loaded = folding.loaded.as_ref().ok()?;
        (loaded.version > folding.kept_version + longer_than).then_some((id, loaded))
    });
    long.filter_map(|(id, loaded)| Some((*id, loaded.version, loaded.snapshot().ok()??)))
        .collect()
}

fn restore(snapshot: &Snapshot) -> Option<Loaded> {
    let aggregate = Aggregate::from_name(&snapshot.aggregate)?;
    let state = StateSnapshot {
        state_version: snapshot.state_version,
        state: snapshot.state.clone(),
    };
    Loaded::from_snapshot(aggregate, &state, snapshot.version, snapshot.recorded_at)
}
