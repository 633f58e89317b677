//! Writing batches: the rows, what is parked and the checkpoint, of one shard or of several, in one transaction.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{RowBatch, Storage, StorageError, StoredRow, answered};
use crate::{Value, notification};

/// The highest number of rows that one statement writes, so that none takes long.
const STATEMENT_ROWS_MAX: usize = 1_000;

/// A batch, and the storage of its shard.
pub type ShardBatch = (Storage, Arc<RowBatch>);

/// A row, and the number of its generation.
pub(super) type GenerationRow<'a> = (i32, &'a StoredRow);

/// Why batches were not written.
#[derive(Debug)]
pub struct NotWritten {
    /// The indexes of those batches of which one is at fault, if one is.
    pub at_fault: Vec<usize>,
    /// What is wrong.
    pub error: StorageError,
}

impl<E: Into<StorageError>> From<E> for NotWritten {
    fn from(error: E) -> Self {
        Self {
            at_fault: Vec::new(),
            error: error.into(),
        }
    }
}

/// Writes the batches of several shards of one database together: all of them, or none. A statement may take
/// `statement_timeout`, if there is one, in place of what the connection allows. A write that has begun continues if the
/// caller stops waiting for it. Returns the timeline of the log.
///
/// # Errors
/// [`StorageError::Fenced`] if the checkpoint of a shard is not at `from`, or the log does not hold `to`. After any
/// error the callers must forget their rows in memory, because they do not know what was written, unless one of the batches
/// is at fault: then nothing was.
pub async fn write_together(
    batches: Vec<ShardBatch>,
    statement_timeout: Option<Duration>,
) -> Result<i32, NotWritten> {
    let Some((
        Storage {
            pool,
            response_timeout,
            ..
        },
        _,
    )) = batches.first().cloned()
    else {
        return Ok(0);
    };
    let mut connection = pool.acquire().await?;
    let write = async move {
        let write = write_in_transaction(&mut connection, &batches, statement_timeout);
        let written = answered(response_timeout, write).await;
        if written.is_err() {
            // It may be in a transaction that nobody ends.
            connection.close_on_drop();
        }
        written
    };
    tokio::spawn(write).await?
}

async fn write_in_transaction(
    connection: &mut PgConnection,
    batches: &[ShardBatch],
    statement_timeout: Option<Duration>,
) -> Result<i32, NotWritten> {
    let begin = begin(batches, statement_timeout);
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await?;
    let timeline = advance_checkpoints(&mut transaction, batches).await?;
    for group in by_read_model(batches) {
        let written = write_group(&mut transaction, batches, &group).await;
        written.map_err(|error| NotWritten {
            at_fault: group,
            error,
        })?;
    }
    fail_point!("projector_in_transaction");
    transaction.commit().await?;
    Ok(timeline)
}

/// The indexes of the batches of each read model, whose rows are in one table.
fn by_read_model(batches: &[ShardBatch]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, (storage, _)) in batches.iter().enumerate() {
        let mut found = groups.iter_mut();
        match found.find(|group| batches[group[0]].0.read_model == storage.read_model) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

/// Writes the batches with these indexes, which are of one read model: the rows of all its shards and generations by the same
/// statements.
async fn write_group(
    transaction: &mut Transaction<'_, Postgres>,
    batches: &[ShardBatch],
    group: &[usize],
) -> Result<(), StorageError> {
    let batches = || group.iter().map(|index| &batches[*index]);
    let Some((storage, _)) = batches().next() else {
        return Ok(());
    };
    let rows = batches().flat_map(|(storage, batch)| storage.of_generation(&batch.rows));
    for rows in rows.collect::<Vec<_>>().chunks(STATEMENT_ROWS_MAX) {
        storage.write_rows(transaction, rows).await?;
    }
    for (storage, batch) in batches() {
        storage.park(transaction, &batch.parked).await?;
    }
    Ok(())
}

/// How the transaction begins. A crash of Postgres may lose the last commits, because it does not wait until they are on
/// disk. Rows and checkpoint are lost together then, and the feed repeats the events. What is parked is not lost: an
/// operator may have been told of it.
fn begin(batches: &[ShardBatch], statement_timeout: Option<Duration>) -> String {
    let mut begin = "begin".to_owned();
    if batches.iter().all(|(_, batch)| batch.parked.is_empty()) {
        begin += "; set local synchronous_commit = off";
    }
    if let Some(timeout) = statement_timeout {
        // Writing to a string cannot fail.
        let _ = write!(
            begin,
            "; set local statement_timeout = {}",
            timeout.as_millis()
        );
    }
    begin
}

/// Moves the checkpoints, and lets queries know of it, unless one is not where this process left it, another fold makes
/// its rows, or the log does not hold the event that its batch ends with: then the batch may be of a future that the
/// log has lost. Returns the timeline of the log.
async fn advance_checkpoints(
    transaction: &mut Transaction<'_, Postgres>,
    batches: &[ShardBatch],
) -> Result<i32, NotWritten> {
    let column = |value: fn(&Storage) -> i32| -> Vec<i32> {
        batches.iter().map(|(storage, _)| value(storage)).collect()
    };
    let read_models = batches.iter().map(|(it, _)| it.read_model);
    let from = batches.iter().map(|(_, batch)| batch.from);
    let to = batches.iter().map(|(_, batch)| batch.to);
    // A row that was parked has an older position than the checkpoint, so a copy does not see that it has changed.
    let removes = batches.iter().map(|(_, batch)| {
        batch.rows.iter().any(|row| row.document.is_none()) || !batch.parked.released.is_empty()
    });
    let notified = batches.iter().map(|(it, batch)| {
        (
            it.read_model,
            it.generation.number,
            it.shard.number,
            batch.to.position,
        )
    });
    let advanced = sqlx::query!(
        r#"
        with batch as (
            select *
              from unnest($1::text[], $2::integer[], $3::integer[], $4::integer[],
                          $5::bigint[], $6::uuid[], $7::bigint[], $8::uuid[], $9::boolean[])
                as batch (read_model, generation, fold_version, shard,
                          from_position, from_event_id, to_position, to_event_id, removes)
        ), advanced as (
            update checkpoints
               set timeline = log_head.timeline,
                   position = batch.to_position,
                   event_id = batch.to_event_id,
                   in_log = true,
                   last_removal = case when batch.removes then batch.to_position else last_removal end,
                   blocked = null,
                   updated_at = clock_timestamp()
              from batch,
                   log_head,
                   generations
             where checkpoints.read_model = batch.read_model
               and checkpoints.generation = batch.generation
               and checkpoints.shard = batch.shard
               and checkpoints.position = batch.from_position
               and checkpoints.event_id is not distinct from batch.from_event_id
               and generations.read_model = batch.read_model
               and generations.generation = batch.generation
               and generations.fold_version = batch.fold_version
               and log_holds(batch.to_position, batch.to_event_id)
            returning checkpoints.read_model,
                      checkpoints.generation,
                      checkpoints.shard,
                      log_head.timeline
        )
        select timeline,
               read_model,
               generation,
               shard,
               -- If a listener does not take what it is sent, the queue fills up, and then a commit would fail.
               (select case when pg_notification_queue_usage() < 0.5
                            then pg_notify($10, $11)::text
                       end) as notified
          from advanced
        "#,
        &read_models.collect::<Vec<_>>() as &[&str],
        &column(|it| it.generation.number),
        &column(|it| it.generation.fold_version),
        &column(|it| it.shard.number),
        &from.clone().map(|it| it.position).collect::<Vec<_>>(),
        &from.map(|it| it.event_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &to.clone().map(|it| it.position).collect::<Vec<_>>(),
        &to.map(|it| it.event_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &removes.collect::<Vec<_>>(),
        notification::CHANNEL,
        notification::payload(&notified.collect::<Vec<_>>()),
    )
    .fetch_all(&mut **transaction)
    .await?;
    if advanced.len() == batches.len() {
        return Ok(advanced.first().map_or(0, |it| it.timeline));
    }
    let is_fenced = |(storage, _): &ShardBatch| {
        !advanced.iter().any(|it| {
            it.read_model == storage.read_model
                && it.generation == storage.generation.number
                && it.shard == storage.shard.number
        })
    };
    // If none is found, two of the batches are of the same shard.
    let at_fault = batches.iter().position(is_fenced);
    let (storage, batch) = &batches[at_fault.unwrap_or_default()];
    Err(NotWritten {
        at_fault: at_fault.into_iter().collect(),
        error: storage.fenced(batch.from),
    })
}

impl Storage {
    /// Writes a batch of this shard alone, as [`write_together`] does.
    ///
    /// # Errors
    /// As for [`write_together`].
    pub async fn write(&self, batch: Arc<RowBatch>) -> Result<i32, StorageError> {
        let written = write_together(vec![(self.clone(), batch)], None).await;
        written.map_err(|it| it.error)
    }

    /// These rows, as they are of the generation of this storage.
    pub(super) fn of_generation<'a>(
        &self,
        rows: &'a [StoredRow],
    ) -> impl Iterator<Item = GenerationRow<'a>> {
        let generation = self.generation.number;
        rows.iter().map(move |row| (generation, row))
    }

    /// Writes rows of generations of this read model.
    pub(super) async fn write_rows(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        rows: &[GenerationRow<'_>],
    ) -> Result<(), StorageError> {
        let (present, removed): (Vec<_>, Vec<_>) =
            rows.iter().partition(|(_, row)| row.document.is_some());
        let generations = |rows: &[GenerationRow<'_>]| -> Vec<_> {
            rows.iter().map(|(generation, _)| *generation).collect()
        };
        let ids =
            |rows: &[GenerationRow<'_>]| -> Vec<_> { rows.iter().map(|(_, row)| row.id).collect() };
        if !removed.is_empty() {
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.remove)))
                .bind(generations(&removed))
                .bind(ids(&removed))
                .execute(&mut **transaction)
                .await?;
        }
        if let Some((_, first)) = present.first() {
            let documents = present.iter().map(|(_, row)| row.document.as_deref());
            let positions = present.iter().map(|(_, row)| row.position);
            let columns = &first.columns;
            let upsert = sqlx::query(AssertSqlSafe(self.sql.upsert(columns)))
                .bind(generations(&present))
                .bind(ids(&present))
                .bind(documents.collect::<Vec<_>>())
                .bind(positions.collect::<Vec<_>>());
            let upsert = (0..columns.len()).fold(upsert, |upsert, at| bind(upsert, &present, at));
            upsert.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Binds the values of a column: those of the rows' columns at this index.
fn bind<'q>(statement: Statement<'q>, rows: &[GenerationRow<'_>], at: usize) -> Statement<'q> {
    /// The values that are of the kind that a function takes.
    fn values<T>(
        rows: &[GenerationRow<'_>],
        at: usize,
        of_kind: fn(&Value) -> Option<T>,
    ) -> Vec<Option<T>> {
        rows.iter()
            .map(|(_, row)| of_kind(&row.columns.get(at)?.value))
            .collect()
    }
    match rows[0].1.columns[at].value {
        Value::Integer(_) => statement.bind(values(rows, at, |it| {
            if let Value::Integer(it) = it {
                *it
            } else {
                None
            }
        })),
        Value::Text(_) => statement.bind(values(rows, at, |it| {
            if let Value::Text(it) = it {
                it.clone()
            } else {
                None
            }
        })),
        Value::Time(_) => statement.bind(values(rows, at, |it| {
            if let Value::Time(it) = it { *it } else { None }
        })),
        Value::Uuid(_) => statement.bind(values(rows, at, |it| {
            if let Value::Uuid(it) = it { *it } else { None }
        })),
    }
}
