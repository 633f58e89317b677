//! Tries to make parked rows again, from the rows as they are stored and the events that wait for them; and to apply the
//! events of a stream that waits as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_events::Recorded;
use tidemark_read_models::storage::{Parked, RowBatch, StoredRow, Untried};
use tidemark_read_models::{ReadModel, Shard};
use uuid::Uuid;

use super::fold::{Wanted, decode, fold_row};
use super::made_row::{Events, made_row};
use super::rows::{RowError, read_row};
use super::worker::Worker;
use crate::following::failure::{EventError, SubscriberError};
use crate::following::panics::catch_panic;

/// How many parked rows are tried before the shard goes on with the log; the others are tried at the next check.
const ROWS_MAX: i64 = 100;
/// How many of the events that wait for a row are read at once. Each may be as large as `executor.event_bytes_max`.
const EVENTS_MAX: i64 = 64;

impl<M: ReadModel> Worker<M> {
    /// Tries each parked row, and then each stream that waits, if this build has not tried it, or an operator wants to have
    /// it tried. A stream waits as long as a row of its events is parked.
    pub(super) async fn remake_parked(&mut self) -> Result<(), SubscriberError> {
        let mut untried = self.storage.untried(ROWS_MAX).await?;
        untried.sort_by_key(|untried| Shard::is_of_stream(untried.id));
        for untried in untried {
            let made = if Shard::is_of_stream(untried.id) {
                self.remake_stream(untried.id).await?
            } else {
                self.remake(untried).await?.map(|row| vec![row])
            };
            let made = match made {
                Ok(rows) => self.release(untried.id, rows).await?,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = made {
                tracing::warn!(read_model = M::NAME, row = %untried.id, reason, "a parked row still cannot be made");
                self.storage.keep_parked(untried.id, &reason).await?;
            }
        }
        Ok(())
    }

    /// The row with all events that wait for it. The inner error says why it still cannot be made.
    async fn remake(
        &self,
        Untried { id, mut position }: Untried,
    ) -> Result<Result<StoredRow, String>, SubscriberError> {
        let stored = self.storage.rows(&[id], usize::MAX).await?.pop();
        let stored = stored.filter(|row| row.document.is_some());
        let last = stored.as_ref().map(|row| row.position);
        let at = self.checkpoint.position;
        let before = if self.skips.may_be_in(id, last, at) {
            let events = Events {
                before: position,
                without: &self.skips.in_row(id, at),
                max: None,
            };
            made_row::<M>(&self.log, id, events).await?
        } else {
            stored_row::<M>(id, stored.as_ref())
        };
        let mut row = match before {
            Ok(row) => row,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut after = 0;
        loop {
            let waiting = self.storage.waiting(id, after, EVENTS_MAX).await?;
            let Some(last) = waiting.last() else {
                break;
            };
            after = *last;
            for event in self.log.at(&waiting).await? {
                position = event.position;
                row = match next_row::<M>(id, row, &event) {
                    Ok(row) => row,
                    Err(reason) => return Ok(Err(reason)),
                };
            }
        }
        Ok(to_be_stored::<M>(id, row.as_ref(), position))
    }

    /// The rows with the events of a stream that waits. The inner error says why they still cannot be made.
    async fn remake_stream(
        &self,
        stream: Uuid,
    ) -> Result<Result<Vec<StoredRow>, String>, SubscriberError> {
        let (mut rows, mut after) = (BTreeMap::new(), 0);
        loop {
            let waiting = self.storage.waiting(stream, after, EVENTS_MAX).await?;
            let Some(last) = waiting.last() else {
                break;
            };
            after = *last;
            let events = self.log.at(&waiting).await?;
            let events: Vec<_> = events.into_iter().map(Arc::new).collect();
            let (wanted, blocked) = decode::<M>(self.storage.shard(), &events);
            for event in &wanted {
                if let Err(reason) = self.add(&mut rows, event).await? {
                    return Ok(Err(reason));
                }
            }
            if let Some((_, error)) = blocked {
                return Ok(Err(error.to_string()));
            }
        }
        let rows = rows.into_iter();
        let rows = rows.map(|(id, (row, last))| to_be_stored::<M>(id, row.as_ref(), last));
        Ok(rows.collect())
    }

    /// Applies an event to its rows, which are read first unless they are among `rows`. These have the position of their
    /// last event, as if none had waited. The inner error says why it cannot be applied.
    async fn add(
        &self,
        rows: &mut BTreeMap<Uuid, (Option<M::Row>, i64)>,
        event: &Wanted<'_>,
    ) -> Result<Result<(), String>, SubscriberError> {
        let (input, keys) = match event {
            Wanted::Keyed { input, keys, .. } => (input, keys),
            Wanted::Unreadable(row) => return Ok(Err(row.reason.clone())),
        };
        let position = input.recorded.position;
        for id in keys {
            let skipped = self.skips.in_row(*id, self.checkpoint.position);
            if skipped.contains(&position) {
                continue;
            }
            if self.parking.contains(*id) {
                return Ok(Err(format!("the row {id} is parked")));
            }
            let (row, last) = match rows.remove(id) {
                Some(row) => row,
                None => match self.stored(*id).await? {
                    Ok(row) => row,
                    Err(reason) => return Ok(Err(reason)),
                },
            };
            match fold_row::<M>(*id, row, input) {
                Ok(row) => rows.insert(*id, (row, last.max(position))),
                Err(reason) => return Ok(Err(reason)),
            };
        }
        Ok(Ok(()))
    }

    /// A row as it is stored, if there is one, and the position of its last event.
    async fn stored(
        &self,
        id: Uuid,
    ) -> Result<Result<(Option<M::Row>, i64), String>, SubscriberError> {
        let stored = self.storage.rows(&[id], usize::MAX).await?.pop();
        let stored = stored.filter(|row| row.document.is_some());
        let last = stored.as_ref().map_or(0, |row| row.position);
        Ok(stored_row::<M>(id, stored.as_ref()).map(|row| (row, last)))
    }

    /// Writes what was parked under an id. The inner error says why Postgres refuses it.
    async fn release(
        &mut self,
        id: Uuid,
        rows: Vec<StoredRow>,
    ) -> Result<Result<(), String>, SubscriberError> {
        let batch = Arc::new(RowBatch {
            from: self.checkpoint,
            to: self.checkpoint,
            rows,
            parked: Parked {
                released: vec![id],
                ..Parked::default()
            },
        });
        let timeline = match self.storage.write(Arc::clone(&batch)).await {
            Err(error) if error.is_of_a_row() => return Ok(Err(error.to_string())),
            written => written?,
        };
        tracing::info!(read_model = M::NAME, row = %id, "a parked row has all its events again");
        self.parking.release(id);
        for row in &batch.rows {
            self.rows.forget(row.id);
        }
        self.offer(batch, timeline);
        Ok(Ok(()))
    }
}

/// A row as it is to be stored after the event at `position`, or why it cannot be.
fn to_be_stored<M: ReadModel>(
    id: Uuid,
    row: Option<&M::Row>,
    position: i64,
) -> Result<StoredRow, String> {
    let row = catch_panic("fold", || StoredRow::new::<M>(id, row, position));
    row.and_then(|row| row.map_err(|error| error.to_string()))
}

/// The row as it is stored, if there is one.
fn stored_row<M: ReadModel>(
    id: Uuid,
    stored: Option<&StoredRow>,
) -> Result<Option<M::Row>, String> {
    match stored.map(read_row::<M>).transpose() {
        Ok(row) => Ok(row),
        Err(RowError::Unreadable(error)) => Err(error),
        Err(RowError::Newer) => Err(EventError::NewerRow(id).to_string()),
    }
}

/// The row after an event that waited for it. An operator's order waits for its row, too, and changes nothing in it.
fn next_row<M: ReadModel>(
    id: Uuid,
    row: Option<M::Row>,
    event: &Recorded,
) -> Result<Option<M::Row>, String> {
    match M::EVENTS.fold_input(event) {
        Ok(Some(input)) if catch_panic("fold", || M::keys(&input))?.contains(&id) => {
            fold_row::<M>(id, row, &input)
        }
        Ok(Some(_) | None) => Ok(row),
        Err(error) => Err(error.to_string()),
    }
}
