//! Reads states of streams and owners of claims from Postgres: many at once, with one query of each kind. A
//! long stream is read in pages, one at a time, so that others need not wait until it is read to its end.
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

/// Something to load.
pub(in crate::executor) struct ToLoad {
    pub(in crate::executor) load: Load,
    /// What was read of it before, if it is a long stream.
    begun: Option<FoldedStream>,
}

/// What one [`Load`] came to.
pub(in crate::executor) enum LoadResult {
    /// There is more of a stream to be read.
    Unfinished(ToLoad),
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
pub(in crate::executor) struct FoldedStream {
    /// The version of the snapshot that reading began with; 0 if there was none.
    snapshot_version: i64,
    loaded: Result<LoadedStream, Error>,
}

type Streams = HashMap<Uuid, FoldedStream>;

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
        let folded = self.fold_streams(vec![id]).await?.remove(&id);
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

    /// Reads everything in `loads`: of each stream the next page.
    pub(in crate::executor) async fn load(&self, loads: Vec<ToLoad>) -> Vec<LoadResult> {
        let (mut streams, mut claims) = (HashMap::new(), Vec::new());
        for ToLoad { load, begun } in loads {
            match load {
                Load::Stream(id) => drop(streams.insert(id, begun)),
                Load::Claim(claim) => claims.push(claim),
            }
        }
        let ids: Vec<_> = streams.keys().copied().collect();
        let (folded, owners) = tokio::join!(self.fold_page(streams), self.claim_owners(&claims));
        let mut results = match folded {
            Ok((finished, unfinished)) => {
                self.spawn_saving_long(&finished);
                let finished = finished.into_iter();
                let finished = finished.map(|(id, stream)| LoadResult::Stream(id, stream.loaded));
                let unfinished = unfinished.into_iter().map(|(id, stream)| {
                    LoadResult::Unfinished(ToLoad {
                        load: Load::Stream(id),
                        begun: Some(stream),
                    })
                });
                finished.chain(unfinished).collect()
            }
            Err(error) => fail_all(ids, &error, LoadResult::Stream),
        };
        results.extend(match owners {
            Ok(owners) => {
                let owners = claims.into_iter().zip(owners);
                owners
                    .map(|(claim, owner)| LoadResult::Claim(claim, Ok(owner)))
                    .collect()
            }
            Err(error) => fail_all(claims, &error, LoadResult::Claim),
        });
        results
    }

    /// Stores snapshots of these streams as they are in the log now.
    pub(in crate::executor) async fn save_snapshots(&self, streams: &[Uuid]) {
        match self.fold_streams(streams.to_vec()).await {
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

    /// The states of streams, read to their ends.
    async fn fold_streams(&self, ids: Vec<Uuid>) -> Result<Streams, Error> {
        let mut wanted: HashMap<_, _> = ids.into_iter().map(|id| (id, None)).collect();
        let mut folded = HashMap::new();
        while !wanted.is_empty() {
            let (finished, unfinished) = self.fold_page(wanted).await?;
            folded.extend(finished);
            let begun = unfinished.into_iter();
            wanted = begun.map(|(id, stream)| (id, Some(stream))).collect();
        }
        Ok(folded)
    }

    /// Reads the next page of each stream, after its snapshot if it has not begun. Returns the streams that
    /// are read to their ends, and those that are not.
    async fn fold_page(
        &self,
        streams: HashMap<Uuid, Option<FoldedStream>>,
    ) -> Result<(Streams, Streams), Error> {
        if streams.is_empty() {
            return Ok(Default::default());
        }
        let mut folded = self.begin(streams).await?;
        let (ids, after): (Vec<_>, Vec<_>) = folded
            .iter()
            .map(|(id, stream)| (*id, stream.version()))
            .unzip();
        let page = self.log.streams(&ids, &after, PAGE_SIZE);
        let read = page.try_for_each(|event| {
            if let Some(stream) = folded.get_mut(&event.stream_id) {
                stream.apply(&event);
            }
            ready(Ok(()))
        });
        self.pool.with_timeout(read).await?;
        let after: HashMap<_, _> = ids.into_iter().zip(after).collect();
        let is_finished =
            |(id, stream): &(Uuid, FoldedStream)| stream.version() < after[id] + PAGE_SIZE;
        Ok(folded.into_iter().partition(is_finished))
    }

    /// The snapshots of the streams that have not begun; a stream without one is empty.
    async fn begin(&self, streams: HashMap<Uuid, Option<FoldedStream>>) -> Result<Streams, Error> {
        let new = streams.iter().filter(|(_, begun)| begun.is_none());
        let new: Vec<_> = new.map(|(id, _)| *id).collect();
        let mut folded: Streams = streams
            .into_iter()
            .map(|(id, begun)| (id, begun.unwrap_or_else(|| LoadedStream::default().into())))
            .collect();
        if new.is_empty() {
            return Ok(folded);
        }
        for snapshot in Snapshot::load(&self.pool, &new).await? {
            if let Some(loaded) = restore(&snapshot) {
                folded.insert(snapshot.stream_id, loaded.into());
            }
        }
        Ok(folded)
    }

    /// Stores snapshots of the streams that took long to read, in a task of its own.
    fn spawn_saving_long(&self, folded: &Streams) {
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

impl From<Load> for ToLoad {
    fn from(load: Load) -> Self {
        Self { load, begun: None }
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

fn fail_all<K, T>(
    keys: Vec<K>,
    error: &Error,
    result: impl Fn(K, Result<T, Error>) -> LoadResult,
) -> Vec<LoadResult> {
    keys.into_iter()
        .map(|key| result(key, Err(error.clone())))
        .collect()
}

/// Snapshots of the streams of which more than `events_min` events were read.
fn snapshots(folded: &Streams, events_min: i64) -> Vec<NewSnapshot> {
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
