//! What operators do to the generations of a read model, besides building one. Each order is recorded in the log before it
//! is carried out, so that one that could not be recorded changes nothing.

use std::process::ExitCode;

use clap::value_parser;
use serde_json::json;
use tidemark_event_store::TimedPool;
use tidemark_events::operations::rebuild::Order;
use tidemark_platform::Config;
use tidemark_read_models::building;
use tidemark_read_models::operations::shards;

use super::arguments::fold_version;
use super::command_api::CommandApi;
use super::postgres::connect;
use super::{Error, arguments, print};
use crate::rebuilding::progress;

/// A read model, and why something is done to its generations.
#[derive(Debug, clap::Args)]
pub(super) struct Generations {
    /// The name of the read model, such as `auction`
    #[arg(value_parser = arguments::ReadModelName)]
    pub(super) read_model: String,
    /// Why; the log records it
    #[arg(long)]
    pub(super) reason: String,
}

/// A generation that is kept, and why it is dropped.
#[derive(Debug, clap::Args)]
pub(super) struct Drop {
    #[command(flatten)]
    pub(super) order: Generations,
    /// Its number; it may be left out where only one is kept
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(i32).range(1..))]
    pub(super) generation: Option<i32>,
}

/// Has the build of a generation paused, resumed or given up.
pub(super) async fn change_build(
    config: &Config,
    order: Order,
    arguments: &Generations,
) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    let name = arguments.read_model.as_str();
    fold_version(name)?;
    let generation = progress::being_built(&pool, name).await?;
    let generation = generation.ok_or(Error::NoneBuilt)?;
    record(config, order, arguments, None).await?;
    let (is_changed, becomes) = if order == Order::Cancel {
        let dropped = building::drop(&pool, name, generation);
        let becomes = "is cancelled. A projector deletes what was built";
        (pool.with_timeout(dropped).await?, becomes)
    } else {
        let is_paused = order == Order::Pause;
        let paused = building::pause(&pool, name, generation, is_paused);
        let becomes = if is_paused { "is paused" } else { "goes on" };
        (pool.with_timeout(paused).await?, becomes)
    };
    if !is_changed {
        return Err(Error::Changed);
    }
    print(&format!(
        "The build of generation {generation} of `{name}` {becomes}."
    ));
    Ok(ExitCode::SUCCESS)
}

/// Lets the generation serve again that served last before.
pub(super) async fn roll_back(config: &Config, arguments: &Generations) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    let name = arguments.read_model.as_str();
    fold_version(name)?;
    let kept = progress::kept(&pool, name).await?;
    let generation = *kept.first().ok_or(Error::NoneKept)?;
    let level_events = config.rebuild.level_events;
    if let Some(obstacle) = obstacle(&pool, (name, generation), level_events).await? {
        return Err(Error::CannotServe(generation, obstacle));
    }
    record(config, Order::RollBack, arguments, None).await?;
    let serves = building::serve(&pool, (name, generation), level_events);
    if !pool.with_timeout(serves).await? {
        let obstacle = obstacle(&pool, (name, generation), level_events).await?;
        return Err(obstacle.map_or(Error::Changed, |it| Error::CannotServe(generation, it)));
    }
    print(&format!(
        "Generation {generation} of `{name}` serves again."
    ));
    Ok(ExitCode::SUCCESS)
}

/// Drops a generation that is kept: the one with this number, or the only one.
pub(super) async fn drop(config: &Config, arguments: &Drop) -> Result<ExitCode, Error> {
    let Drop { order, generation } = arguments;
    let pool = connect(config).await?;
    let name = order.read_model.as_str();
    fold_version(name)?;
    let kept = progress::kept(&pool, name).await?;
    let generation = match (*generation, kept.as_slice()) {
        (Some(generation), kept) if kept.contains(&generation) => generation,
        (Some(generation), _) => {
            let found = progress::of_generation(&pool, name, generation).await?;
            let state = found.map(|it| it.state);
            return Err(Error::not_kept(generation, state.as_deref()));
        }
        (None, []) => return Err(Error::NoneKept),
        (None, [only]) => *only,
        (None, several) => {
            let numbers: Vec<_> = several.iter().map(ToString::to_string).collect();
            return Err(Error::SeveralKept(numbers.join(", ")));
        }
    };
    record(config, Order::Drop, order, Some(generation)).await?;
    let dropped = building::drop(&pool, name, generation);
    if !pool.with_timeout(dropped).await? {
        return Err(Error::Changed);
    }
    print(&format!(
        "Generation {generation} of `{name}` is dropped. A projector deletes its rows."
    ));
    Ok(ExitCode::SUCCESS)
}

/// Puts an order on record.
pub(super) async fn record(
    config: &Config,
    order: Order,
    arguments: &Generations,
    generation: Option<i32>,
) -> Result<(), Error> {
    let mut body = json!({
        "read_model": arguments.read_model,
        "order": order,
        "reason": arguments.reason,
    });
    if let Some(generation) = generation {
        body["generation"] = generation.into();
    }
    CommandApi::new(config)?
        .record("/v1/rebuilds", &body)
        .await
        .map(|_| ())
}

/// Why a generation that is kept cannot serve now, if it cannot.
async fn obstacle(
    pool: &TimedPool,
    (read_model, generation): (&str, i32),
    level_events: u32,
) -> Result<Option<String>, Error> {
    let first = (read_model.to_owned(), generation, -1);
    let list = || shards::list(pool, Some(first.clone()), i64::from(u8::MAX));
    let shards = pool.read(list).await?;
    let is_of_it = |it: &&shards::ShardStatus| it.name == read_model && it.generation == generation;
    for shard in shards.iter().filter(is_of_it) {
        let number = shard.shard;
        if let Some(reason) = &shard.blocked {
            return Ok(Some(format!("its shard {number} stands still: {reason}")));
        }
        if shard.holder.is_none() {
            return Ok(Some(format!("no projector runs its shard {number}")));
        }
        if shard.lag > i64::from(level_events) {
            return Ok(Some(format!(
                "its shard {number} is {} events behind the end of the log, which must not be more than {level_events}",
                shard.lag
            )));
        }
    }
    let progress = progress::of_generation(pool, read_model, generation).await?;
    let parked = progress.map_or(0, |it| it.parked);
    let parked = (parked > 0).then(|| {
        format!(
            "it has {parked} parked rows that the one that serves has not; `parked list` shows them"
        )
    });
    Ok(parked)
}
