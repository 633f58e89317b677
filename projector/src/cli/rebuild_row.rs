//! Has one row made anew. The record of that in the log is the order: a projector carries it out when it comes to it.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use sqlx::AssertSqlSafe;
use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::Config;
use tidemark_read_models::operations::parked;
use tidemark_read_models::{ReadModel, RowOf, for_each_read_model};
use uuid::Uuid;

use super::command_api::CommandApi;
use super::rebuild::fold_version;
use super::{Error, Rebuild, connect, print};
use crate::projecting::ordered_row::EVENTS_MAX;

/// The pause before it is looked again whether the row is made.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn rebuild_row(
    config: &Config,
    arguments: &Rebuild,
    row: Uuid,
) -> Result<ExitCode, Error> {
    let pool = connect(config)?;
    let read_model = arguments.order.read_model.as_str();
    fold_version(read_model)?;
    check(&pool, read_model, row).await?;
    let body = json!({
        "read_model": read_model,
        "row_id": row,
        "remedy": "rebuild",
        "reason": arguments.order.reason,
    });
    let ordered_at = CommandApi::new(config)?
        .record("/v1/repairs", None, &body)
        .await?;
    if arguments.detach {
        print("The row is made anew when its projector comes to the order.");
        return Ok(ExitCode::SUCCESS);
    }
    match made(&pool, read_model, row, ordered_at).await? {
        None => print("No event makes such a row, and there is none."),
        Some(position) if position >= ordered_at => print("The row is made anew."),
        Some(_) => return Err(Error::NotMade),
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses what no projector would carry out.
async fn check(pool: &TimedPool, read_model: &str, row: Uuid) -> Result<(), Error> {
    let sources = for_each_read_model!(row_of());
    let source = sources.iter().find(|(name, _)| *name == read_model);
    if source.is_some_and(|(_, row_of)| *row_of == RowOf::Data) {
        return Err(Error::ManyStreams);
    }
    let log = Log::new(pool.clone());
    if !log.stream(row, EVENTS_MAX, 1).await?.is_empty() {
        return Err(Error::TooManyEvents(EVENTS_MAX));
    }
    let parked = pool.read(|| parked::find(pool, read_model, row)).await?;
    parked.map_or(Ok(()), |_| Err(Error::Parked))
}

const fn row_of<M: ReadModel>() -> (&'static str, RowOf) {
    (M::NAME, M::ROW_OF)
}

/// The position of the row that serves once its shard has come to the order; `None` if there is no row.
async fn made(
    pool: &TimedPool,
    read_model: &str,
    row: Uuid,
    ordered_at: i64,
) -> Result<Option<i64>, Error> {
    loop {
        let shard = || {
            sqlx::query!(
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
        let shard = pool.read(shard).await?;
        if shard.position >= ordered_at {
            let sql =
                format!("select position from {read_model}_rows where generation = $1 and id = $2");
            let sql = std::sync::Arc::<str>::from(sql);
            let position = || {
                sqlx::query_scalar(AssertSqlSafe(std::sync::Arc::clone(&sql)))
                    .bind(shard.generation)
                    .bind(row)
                    .fetch_optional(&**pool)
            };
            return Ok(pool.read(position).await?);
        }
        if shard.blocked.is_some() {
            return Err(Error::StandsStill);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
