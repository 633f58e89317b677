//! Reads states of streams and owners of claims from Postgres: many at once, with one query of each kind.
//! Also stores snapshots of long streams, so that the next load reads few events.
//!
//! States are made from the log alone, so events that are not committed are in no state or snapshot.

use std::collections::HashMap;
use std::future::ready;
use std::slice;

use futures::TryStreamExt;
use tidemark_domain::{Claim, Load, LoadedStream, StateSnapshot};
use tidemark_event_store::{Log, Snapshot, TimedPool};
use tidemark_events::{Aggregate, Recorded};
use uuid::Uuid;

use crate::error::Error;

/// How many events of a stream are read with one query at most.
const PAGE_SIZE: i64 = 1_000;

/// What one [`Load`] came to.
pub(in crate::executor) enum LoadResult {
    /// The state of a stream, or why it could not be loaded.
    Stream(Uuid, Result<LoadedStream, Error>),
    /// The owner of a claim, or why it could not be loaded.
    Claim(Claim, Result<Option<Uuid>, Error>),
}

/// Reads states and owners of claims.
#[derive(Clone)]
pub(in crate::executor) struct Loader {
    pool: TimedPool,
    log: Log,
    snapshot_every: i64,
}

/// A stream while its events are read.
struct FoldedStream {
    /// The version of the snapshot that reading began with; 0 if there was none.
    snapshot_version: i64,
    loaded: Result<LoadedStream, Error>,
}

/// The state of a stream at a version, to be stored.
struct NewSnapshot {
    stream_id: Uuid,
    version: i64,
    snapshot: StateSnapshot,
}

impl Loader {
    /// A loader that stores a snapshot of a stream if it had to read more than `snapshot_every` events.
    pub(in crate::executor) fn new(pool: TimedPool, snapshot_every: i64) -> Self {
        Self {
            log: Log::new(pool.clone()),
            pool,
            snapshot_every,
        }
    }

    /// Reads the state of one stream.
    pub(in crate::executor) async fn load_stream(&self, id: Uuid) -> Result<LoadedStream, Error> {
        let folded = self.fold_streams(&[id]).await?.remove(&id);
        folded.map_or_else(|| Ok(LoadedStream::default()), |folded| folded.loaded)
    }

    /// Reads the owner of one claim.
    pub(in crate::executor) async fn claim_owner(
        &self,
        claim: &Claim,
    ) -> Result<Option<Uuid>, Error> {
        let owners = self.claim_owners(slice::from_ref(claim)).await?;
        Ok(owners.into_iter().next().flatten())
    }

    /// Reads everything in `loads`.
    pub(in crate::executor) async fn load(&self, loads: Vec<Load>) -> Vec<LoadResult> {
        let (mut streams, mut claims) = (Vec::new(), Vec::new());
        for load in loads {
            match load {
                Load::Stream(id) => streams.push(id),
                Load::Claim(claim) => claims.push(claim),
            }
        }
        let (folded, owners) =
            tokio::join!(self.fold_streams(&streams), self.claim_owners(&claims));
        let streams = match folded {
            Ok(folded) => {
                self.spawn_saving_long(&folded);
                let folded = folded.into_iter();
                folded.map(|(id, stream)| (id, stream.loaded)).collect()
            }
            Err(error) => fail_all(streams, &error),
        };
        let claims = match owners {
            Ok(owners) => claims.into_iter().zip(owners.into_iter().map(Ok)).collect(),
            Err(error) => fail_all(claims, &error),
        };
        let streams = streams
            .into_iter()
            .map(|(id, loaded)| LoadResult::Stream(id, loaded));
        let claims = claims
            .into_iter()
            .map(|(claim, owner)| LoadResult::Claim(claim, owner));
        streams.chain(claims).collect()
    }

    /// Stores snapshots of these streams as they are in the log now.
    pub(in crate::executor) async fn save_snapshots(&self, streams: &[Uuid]) {
        match self.fold_streams(streams).await {
            Ok(folded) => self.save(snapshots(&folded, 0)).await,
            Err(error) => tracing::warn!(%error, "streams cannot be read to store snapshots"),
        }
    }

    async fn claim_owners(&self, claims: &[Claim]) -> Result<Vec<Option<Uuid>>, Error> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let scopes: Vec<_> = claims.iter().map(|c| c.scope.name().to_owned()).collect();
        let keys: Vec<_> = claims.iter().map(|c| c.key.clone()).collect();
        Ok(self.log.claim_owners(&scopes, &keys).await?)
    }

    /// The states of streams, made from their snapshots and the events since.
    async fn fold_streams(&self, streams: &[Uuid]) -> Result<HashMap<Uuid, FoldedStream>, Error> {
        if streams.is_empty() {
            return Ok(HashMap::new());
        }
        let empty = |id: &Uuid| (*id, FoldedStream::from(LoadedStream::default()));
        let mut folded: HashMap<_, _> = streams.iter().map(empty).collect();
        for snapshot in Snapshot::load(&self.pool, streams).await? {
            if let Some(loaded) = restore(&snapshot) {
                folded.insert(snapshot.stream_id, loaded.into());
            }
        }
        let mut unfinished = streams.to_vec();
        while !unfinished.is_empty() {
            let after: Vec<_> = unfinished.iter().map(|id| folded[id].version()).collect();
            let page = self.log.streams(&unfinished, &after, PAGE_SIZE);
            let read = page.try_for_each(|event| {
                if let Some(stream) = folded.get_mut(&event.stream_id) {
                    stream.apply(&event);
                }
                ready(Ok(()))
            });
            self.pool.with_timeout(read).await?;
            let has_more = |(id, after): &(Uuid, i64)| folded[id].version() == after + PAGE_SIZE;
            let next = unfinished.into_iter().zip(after).filter(has_more);
            unfinished = next.map(|(id, _)| id).collect();
        }
        Ok(folded)
    }

    /// Stores snapshots of the streams that took long to read, in a task of its own.
    fn spawn_saving_long(&self, folded: &HashMap<Uuid, FoldedStream>) {
        let snapshots = snapshots(folded, self.snapshot_every);
        if !snapshots.is_empty() {
            let this = self.clone();
            tokio::spawn(async move { this.save(snapshots).await });
        }
    }

    async fn save(&self, snapshots: Vec<NewSnapshot>) {
        for new in snapshots {
            let StateSnapshot {
                state_version,
                state,
            } = &new.snapshot;
            let saved = Snapshot::save(
                &self.pool,
                new.stream_id,
                new.version,
                *state_version,
                state,
            );
            if let Err(error) = saved.await {
                tracing::warn!(%error, stream_id = %new.stream_id, "a snapshot cannot be stored");
            }
        }
    }
}

impl From<LoadedStream> for FoldedStream {
    fn from(loaded: LoadedStream) -> Self {
        Self {
            snapshot_version: loaded.version,
            loaded: Ok(loaded),
        }
    }
}

impl FoldedStream {
    fn version(&self) -> i64 {
        self.loaded.as_ref().map_or(0, |loaded| loaded.version)
    }

    /// Applies the next event. Once an event cannot be decoded by this build there is no state.
    fn apply(&mut self, recorded: &Recorded) {
        if let Ok(loaded) = &mut self.loaded {
            match recorded.decode() {
                Ok(event) => loaded.apply(&event, recorded.recorded_at),
                Err(error) => self.loaded = Err(error.into()),
            }
        }
    }
}

fn fail_all<K, T>(keys: Vec<K>, error: &Error) -> Vec<(K, Result<T, Error>)> {
    keys.into_iter()
        .map(|key| (key, Err(error.clone())))
        .collect()
}

/// Snapshots of the streams of which more than `events_min` events were read.
fn snapshots(folded: &HashMap<Uuid, FoldedStream>, events_min: i64) -> Vec<NewSnapshot> {
    let long = folded.iter().filter_map(|(id, stream)| {
        let loaded = stream.loaded.as_ref().ok()?;
        (loaded.version > stream.snapshot_version + events_min).then_some((id, loaded))
    });
    long.filter_map(|(id, loaded)| {
        Some(NewSnapshot {
            stream_id: *id,
            version: loaded.version,
            snapshot: loaded.snapshot().ok()??,
        })
    })
    .collect()
}

/// The state in a snapshot; none if another build made it in a form that this one does not read.
fn restore(snapshot: &Snapshot) -> Option<LoadedStream> {
    let aggregate = Aggregate::from_name(&snapshot.aggregate)?;
    let state = StateSnapshot {
        state_version: snapshot.state_version,
        state: snapshot.state.clone(),
    };
    LoadedStream::from_snapshot(aggregate, &state, snapshot.version, snapshot.recorded_at)
}
