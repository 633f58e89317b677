//! Tries to make parked rows again, from the rows as they are stored and the events that wait for them.

use std::sync::Arc;

use tidemark_events::Recorded;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::{Parked, RowBatch, StoredRow, Untried};
use uuid::Uuid;

use super::fold::fold_row;
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
    /// Tries each parked row that this build has not tried, or that an operator wants to have tried.
    pub(super) async fn remake_parked(&mut self) -> Result<(), SubscriberError> {
        for untried in self.storage.untried(ROWS_MAX).await? {
            let made = match self.remake(untried).await? {
                Ok(row) => self.release(row).await?,
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
        let row = catch_panic("fold", || StoredRow::new::<M>(id, row.as_ref(), position));
        Ok(row.and_then(|row| row.map_err(|error| error.to_string())))
    }

    /// Writes a row that was parked. The inner error says why Postgres refuses it.
    async fn release(&mut self, row: StoredRow) -> Result<Result<(), String>, SubscriberError> {
        let id = row.id;
        let batch = Arc::new(RowBatch {
            from: self.checkpoint,
            to: self.checkpoint,
            rows: vec![row],
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
        self.rows.forget(id);
        self.offer(batch, timeline);
        Ok(Ok(()))
    }
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
