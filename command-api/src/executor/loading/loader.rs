//! Reads states of streams and owners of claims from Postgres: many at once, with one query of each kind. What one
//! query reads is bounded. A long stream is read in pages, one at a time, so that others need not wait until it is read
//! to its end.
//! Also stores snapshots of long streams, so that the next load reads few events.
//!
//! States are made from the log alone, so events that are not committed are in no state or snapshot.

use std::collections::HashMap;
use std::future::ready;
use std::slice;

use futures::{StreamExt, TryStreamExt, stream};
use sqlx::error::DatabaseError;
use tidemark_domain::{Claim, Load, LoadedStream, StateSnapshot};
use tidemark_event_store::{Log, TimedPool};
use uuid::Uuid;

use super::page::{FoldedStream, Page, limits};
use crate::error::Error;

/// Something to load.
pub(in crate::executor) struct ToLoad {
    pub(in crate::executor) load: Load,
    /// What was read of it before, if it is a long stream.
    begun: Option<FoldedStream>,
    /// Whether it is loaded by itself, since it could not be read together with others.
    pub(in crate::executor) is_alone: bool,
}

/// What one [`Load`] came to.
pub(in crate::executor) enum LoadResult {
    /// There is more of a stream to be read, or all of it anew.
    Unfinished(ToLoad),
    /// The state of a stream, or why it could not be loaded.
    Stream(Uuid, Result<LoadedStream, Error>),
    /// The owner of a claim, or why it could not be loaded.
    Claim(Claim, Result<Option<Uuid>, Error>),
}

/// Reads states and owners of claims.
#[derive(Clone)]
pub(in crate::executor) struct Loader {
    log: Log,
    snapshot_every: i64,
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
            log: Log::new(pool),
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

    /// Reads the last position of the log.
    pub(in crate::executor) async fn log_end(&self) -> Result<i64, Error> {
        Ok(self.log.head().await?.position)
    }

    /// Reads the names of the read models that there are.
    pub(in crate::executor) async fn read_models(&self) -> Result<Vec<String>, Error> {
        Ok(self.log.read_models().await?)
    }

    /// Reads the names of the reactors that there are.
    pub(in crate::executor) async fn reactors(&self) -> Result<Vec<String>, Error> {
        Ok(self.log.reactors().await?)
    }

    /// Reads everything in `loads`: of each stream the next page. If something that belongs to one of several streams
    /// cannot be read, each of them is to be loaded by itself.
    pub(in crate::executor) async fn load(&self, loads: Vec<ToLoad>) -> Vec<LoadResult> {
        let is_alone = loads.iter().any(|load| load.is_alone);
        let (mut streams, mut claims) = (HashMap::new(), Vec::new());
        for ToLoad { load, begun, .. } in loads {
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
                let unfinished = unfinished
                    .into_iter()
                    .map(|(id, stream)| LoadResult::unfinished(id, Some(stream), is_alone));
                finished.chain(unfinished).collect()
            }
            Err(error) if ids.len() > 1 && is_about_what_was_read(&error) => {
                tracing::warn!(%error, "streams cannot be read together, and each is read by itself");
                let ids = ids.into_iter();
                ids.map(|id| LoadResult::unfinished(id, None, true))
                    .collect()
            }
            Err(error) => fail_all(ids, &error.into(), LoadResult::Stream),
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
    ) -> sqlx::Result<(Streams, Streams)> {
        if streams.is_empty() {
            return Ok(Default::default());
        }
        let limits = limits(streams.len());
        let (ids, after): (Vec<_>, Vec<_>) = streams
            .iter()
            .map(|(id, begun)| (*id, begun.as_ref().map(FoldedStream::version)))
            .unzip();
        let mut pages: HashMap<_, _> = streams
            .into_iter()
            .map(|(id, begun)| (id, Page::of(begun, limits)))
            .collect();
        // A connection that was cut is noticed before the first part, so nothing is added to the pages twice.
        let begin = || async {
            let mut parts = self.log.states(&ids, &after, limits);
            let first = parts.try_next().await?;
            Ok((first, parts))
        };
        let (first, rest) = self.log.pool().read(begin).await?;
        let parts = stream::iter(first.map(Ok)).chain(rest);
        let read = parts.try_for_each(|part| {
            if let Some(page) = pages.get_mut(&part.stream_id) {
                page.add(&part);
            }
            ready(Ok(()))
        });
        self.log.pool().with_timeout(read).await?;
        let (finished, unfinished): (Vec<_>, Vec<_>) =
            pages.into_iter().partition(|(_, page)| page.is_last());
        let streams = |pages: Vec<(Uuid, Page)>| {
            let pages = pages.into_iter();
            pages.map(|(id, page)| (id, page.stream)).collect()
        };
        Ok((streams(finished), streams(unfinished)))
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
            let saved = self
                .log
                .save_snapshot(new.stream_id, new.version, *state_version, state);
            if let Err(error) = saved.await {
                tracing::warn!(%error, stream_id = %new.stream_id, "a snapshot cannot be stored");
            }
        }
    }
}

impl From<Load> for ToLoad {
    fn from(load: Load) -> Self {
        Self {
            load,
            begun: None,
            is_alone: false,
        }
    }
}

#[cfg(test)]
impl ToLoad {
    /// The version up to which the stream has been read.
    pub(in crate::executor) fn version_begun(&self) -> i64 {
        self.begun.as_ref().map_or(0, FoldedStream::version)
    }
}

impl LoadResult {
    const fn unfinished(id: Uuid, begun: Option<FoldedStream>, is_alone: bool) -> Self {
        Self::Unfinished(ToLoad {
            load: Load::Stream(id),
            begun,
            is_alone,
        })
    }
}

/// Whether Postgres says that it read something broken, rather than that it cannot work at the moment.
fn is_about_what_was_read(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // The classes of wrong data, of failing disks, and of damaged tables.
    code.is_some_and(|code| {
        ["22", "58", "XX"]
            .iter()
            .any(|class| code.starts_with(class))
    })
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
