//! Has single rows made anew. The record of that in the log is the order: a projector carries it out when it comes to it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::AssertSqlSafe;
use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::Config;
use tidemark_read_models::operations::parked;
use tidemark_read_models::storage::skipped_in_row;
use tidemark_read_models::{ReadModel, RowOf, for_each_read_model};
use uuid::Uuid;

use super::arguments::fold_version;
use super::command_api::CommandApi;
use super::postgres::connect;
use super::rebuild::{OnlyRows, Rebuild};
use super::{Error, print};
use crate::projecting::made_row::{Events, ORDERED_MAX, made_row};

/// The pause before it is looked again whether the row is made.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many events of a stream are read at once.
const EVENTS_PER_READ: i64 = 64;

/// Has these rows made anew, one after the other.
pub(super) async fn rebuild_rows(
    config: &Config,
    arguments: &Rebuild,
    rows: OnlyRows,
) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    let read_model = arguments.order.read_model.as_str();
    fold_version(read_model)?;
    match rows {
        OnlyRows::OfStream(stream) if source(read_model) == Some(RowOf::Event) => {
            rebuild_each(config, &pool, arguments, stream).await?;
        }
        OnlyRows::One(row) | OnlyRows::OfStream(row) => {
            rebuild_row(config, &pool, arguments, row).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Has the row of each event of a stream made anew that has one.
async fn rebuild_each(
    config: &Config,
    pool: &TimedPool,
    arguments: &Rebuild,
    stream: Uuid,
) -> Result<(), Error> {
    let log = Log::new(pool.clone());
    let (mut version, mut rows) = (0, 0);
    loop {
        let events = log.stream(stream, version, EVENTS_PER_READ).await?;
        let Some(last) = events.last() else {
            break;
        };
        version = last.version;
        for event in &events {
            match rebuild_row(config, pool, arguments, event.event_id).await {
                Err(Error::NoSuchRow) => {}
                made => {
                    made?;
                    rows += 1;
                }
            }
        }
    }
    if rows == 0 {
        Err(Error::NoSuchRow)
    } else {
        Ok(())
    }
}

async fn rebuild_row(
    config: &Config,
    pool: &TimedPool,
    arguments: &Rebuild,
    row: Uuid,
) -> Result<(), Error> {
    let read_model = arguments.order.read_model.as_str();
    let has_events = check(pool, read_model, row).await?;
    let body = json!({
        "read_model": read_model,
        "row_id": row,
        "remedy": "rebuild",
        "reason": arguments.order.reason,
    });
    let ordered_at = CommandApi::new(config)?
        .record("/v1/repairs", &body)
        .await?;
    if arguments.detach {
        print("The row is made anew when its projector comes to the order.");
        return Ok(());
    }
    match made(pool, read_model, row, ordered_at).await? {
        Some(position) if position >= ordered_at => print("The row is made anew."),
        None if !has_events => print("The row is gone: no event makes it."),
        Some(_) | None => return Err(Error::NotMade),
    }
    Ok(())
}

/// Refuses what no projector would carry out. Returns whether events make such a row; if none do, the order removes it.
async fn check(pool: &TimedPool, read_model: &str, row: Uuid) -> Result<bool, Error> {
    if source(read_model) == Some(RowOf::Data) {
        return Err(Error::ManyStreams);
    }
    let log = Log::new(pool.clone());
    let parked = pool.read(|| parked::find(pool, read_model, row)).await?;
    if parked.is_some() {
        return Err(Error::Parked);
    }
    let skipped = pool.read(|| skipped_in_row(pool, read_model, row)).await?;
    let made = for_each_read_model!(is_made(read_model, &log, row, &skipped).await?);
    let is_made = made.into_iter().flatten().next();
    let is_made = is_made.unwrap_or(Ok(false)).map_err(Error::Unmakeable)?;
    let shard = serving_shard(pool, read_model, row).await?;
    if !is_made
        && position(pool, (read_model, shard.generation), row)
            .await?
            .is_none()
    {
        return Err(Error::NoSuchRow);
    }
    Ok(is_made)
}

/// Whether events make such a row, or why they cannot; `None` if it is a row of another read model.
async fn is_made<M: ReadModel>(
    read_model: &str,
    log: &Log,
    row: Uuid,
    skipped: &[i64],
) -> sqlx::Result<Option<Result<bool, String>>> {
    if M::NAME != read_model {
        return Ok(None);
    }
    let events = Events {
        before: i64::MAX,
        without: skipped,
        max: Some(ORDERED_MAX),
    };
    let made = made_row::<M>(log, row, events).await?;
    Ok(Some(made.map(|row| row.is_some())))
}

/// Of which events a row of a read model is made.
fn source(read_model: &str) -> Option<RowOf> {
    let sources = for_each_read_model!(row_of());
    let source = sources.into_iter().find(|(name, _)| *name == read_model);
    source.map(|(_, row_of)| row_of)
}

const fn row_of<M: ReadModel>() -> (&'static str, RowOf) {
    (M::NAME, M::ROW_OF)
}

/// The shard of a row in the generation that serves.
struct ServingShard {
    generation: i32,
    position: i64,
    blocked: Option<String>,
}

async fn serving_shard(
    pool: &TimedPool,
    read_model: &str,
    row: Uuid,
) -> sqlx::Result<ServingShard> {
    let shard = || {
        sqlx::query_as!(
            ServingShard,
            r#"
            select c.generation,
                   c.position,
                   c.blocked
              from generations g
              join checkpoints c
             using (read_model, generation)
             where g.read_model = $1
               and g.state = 'serving'
               and c.shard = shard_of($2, coalesce(g.shards, 1))
            "#,
            read_model,
            row,
        )
        .fetch_one(&**pool)
    };
    pool.read(shard).await
}

/// The position of the last event that changed a row of a generation; `None` if there is no such row.
async fn position(
    pool: &TimedPool,
    (read_model, generation): (&str, i32),
    row: Uuid,
) -> sqlx::Result<Option<i64>> {
    let sql = format!("select position from {read_model}_rows where generation = $1 and id = $2");
    let sql = Arc::<str>::from(sql);
    let position = || {
        sqlx::query_scalar(AssertSqlSafe(Arc::clone(&sql)))
            .bind(generation)
            .bind(row)
            .fetch_optional(&**pool)
    };
    pool.read(position).await
}

/// The position of the row that serves once its shard has come to the order; `None` if there is no row.
async fn made(
    pool: &TimedPool,
    read_model: &str,
    row: Uuid,
    ordered_at: i64,
) -> Result<Option<i64>, Error> {
    loop {
        let shard = serving_shard(pool, read_model, row).await?;
        if shard.position >= ordered_at {
            return Ok(position(pool, (read_model, shard.generation), row).await?);
        }
        if shard.blocked.is_some() {
            return Err(Error::StandsStill);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
