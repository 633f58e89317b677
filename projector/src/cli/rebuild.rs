//! Builds a read model anew, and what else operators do to its generations. Each order is recorded in the log before
//! it is carried out, so that one that could not be recorded changes nothing.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use tidemark_event_store::TimedPool;
use tidemark_events::operations::rebuild::Order;
use tidemark_platform::Config;
use tidemark_read_models::building::{self, Build};
use tidemark_read_models::folds;

use super::command_api::CommandApi;
use super::postgres::connect;
use super::{Error, Generations, Rebuild, print};
use crate::projecting::shards;
use crate::rebuilding::progress::{self, BuildProgress};
use crate::sharing::snapshot::Snapshot;

/// The pause before the progress is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The exit code if the new generation does not serve because its rows are not the same.
const EXIT_DIFFERENT: u8 = 3;
/// The exit code if the new generation does not serve because some of its rows could not be compared, or are parked.
const EXIT_UNDECIDED: u8 = 4;

/// The exit code if another command has cancelled the build.
const EXIT_CANCELLED: u8 = 1;

/// Begins a build, and shows its progress until the new generation serves.
pub(super) async fn rebuild(config: &Config, arguments: Rebuild) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    let name = arguments.order.read_model.as_str();
    let fold_version = fold_version(name)?;
    let configured = shards::count(&shards::configured(&config.projection)?, name);
    if progress::being_built(&pool, name).await?.is_some() {
        return Err(Error::AlreadyBuilt);
    }
    let serving = progress::fold_that_serves(&pool, name).await?;
    if fold_version < serving {
        return Err(Error::OlderFold);
    }
    if fold_version > serving && !arguments.expect_changes {
        return Err(Error::OtherFold);
    }
    record(config, Order::Build, &arguments.order).await?;
    let build = Build {
        fold_version,
        shards: arguments
            .shards
            .map_or(configured, |shards| shards.get().into()),
        expects_changes: arguments.expect_changes,
        is_dry_run: arguments.dry_run,
        throttle: arguments.throttle,
    };
    let begun = pool
        .with_timeout(building::begin(&pool, name, build))
        .await?;
    let generation = begun.ok_or(Error::AlreadyBuilt)?;
    if arguments.detach {
        print(&format!(
            "Generation {generation} of `{name}` is being built."
        ));
        return Ok(ExitCode::SUCCESS);
    }
    follow(&pool, name, generation).await
}

/// Carries out another order.
pub(super) async fn execute(
    config: &Config,
    order: Order,
    arguments: Generations,
) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    let name = arguments.read_model.as_str();
    fold_version(name)?;
    let generation = match order {
        Order::RollBack => progress::kept(&pool, name).await?.ok_or(Error::NoneKept)?,
        Order::Build | Order::Pause | Order::Resume | Order::Cancel => {
            progress::being_built(&pool, name)
                .await?
                .ok_or(Error::NoneBuilt)?
        }
    };
    if order == Order::RollBack {
        let snapshot = pool.with_timeout(Snapshot::read(&pool)).await?;
        if !snapshot.is_followed(name, generation) {
            return Err(Error::NotLevel);
        }
    }
    record(config, order, &arguments).await?;
    let carried_out = async {
        match order {
            Order::RollBack => {
                let level_events = config.rebuild.level_events;
                building::serve(&pool, (name, generation), level_events).await
            }
            Order::Cancel => building::drop(&pool, name, generation).await,
            Order::Build | Order::Pause | Order::Resume => {
                building::pause(&pool, name, generation, order == Order::Pause).await
            }
        }
    };
    if !pool.with_timeout(carried_out).await? {
        return Err(match order {
            Order::RollBack => Error::NotLevel,
            Order::Build | Order::Pause | Order::Resume | Order::Cancel => Error::Changed,
        });
    }
    print(&match order {
        Order::RollBack => format!("Generation {generation} of `{name}` serves again."),
        Order::Cancel => format!(
            "The build of generation {generation} of `{name}` is cancelled. A projector deletes what was built."
        ),
        Order::Pause => format!("The build of generation {generation} of `{name}` is paused."),
        Order::Build | Order::Resume => {
            format!("The build of generation {generation} of `{name}` goes on.")
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// The version of this build's fold of a read model.
pub(super) fn fold_version(read_model: &str) -> Result<i32, Error> {
    let folds = folds();
    let mut found = folds.iter().filter(|(name, _)| *name == read_model);
    found.next().map(|(_, version)| *version).ok_or_else(|| {
        let names: Vec<_> = folds.iter().map(|(name, _)| *name).collect();
        Error::UnknownReadModel(read_model.to_owned(), names.join(", "))
    })
}

async fn record(config: &Config, order: Order, arguments: &Generations) -> Result<(), Error> {
    let body = json!({
        "read_model": arguments.read_model,
        "order": order,
        "reason": arguments.reason,
    });
    CommandApi::new(config)?
        .record("/v1/rebuilds", &body)
        .await
        .map(drop)
}

/// A line of JSON that shows the progress.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    progress: &'a BuildProgress,
    /// How many events are applied in a second.
    rate: f64,
    /// After how many seconds the end of the log is reached at that rate.
    eta_s: Option<f64>,
    /// What became of the generation, in the last line.
    outcome: Option<&'a str>,
}

/// Shows the progress until the generation serves, does not, or is dropped.
async fn follow(pool: &TimedPool, read_model: &str, generation: i32) -> Result<ExitCode, Error> {
    let is_terminal = std::io::stderr().is_terminal();
    let bar = bar(read_model, generation, is_terminal);
    loop {
        let found = progress::of_generation(pool, read_model, generation).await?;
        let progress = found.ok_or(Error::Changed)?;
        show(&bar, &progress);
        let end = end(read_model, &progress);
        let outcome = end.as_ref().map(|(_, text)| text.as_str());
        if !is_terminal {
            let rate = bar.per_sec();
            print(&serde_json::to_string(&Line {
                progress: &progress,
                rate,
                eta_s: (rate > 0.0).then(|| bar.eta().as_secs_f64()),
                outcome,
            })?);
        } else if let Some(outcome) = outcome {
            bar.finish_and_clear();
            print(outcome);
            if progress.rows_that_are_the_same().is_none()
                && let Some(comparison) = &progress.comparison
            {
                print(&serde_json::to_string_pretty(comparison)?);
            }
        }
        if let Some((code, _)) = end {
            return Ok(code);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The exit code, and what became of the generation, if its build has ended.
fn end(read_model: &str, progress: &BuildProgress) -> Option<(ExitCode, String)> {
    let (code, text) = match progress.state.as_str() {
        "serving" | "kept" => (0, "serves"),
        "dropped" if progress.differs() => (
            EXIT_DIFFERENT,
            "is dropped: its rows are not those of the one that serves",
        ),
        "dropped" if progress.is_undecided() => (
            EXIT_UNDECIDED,
            "is dropped: some of its rows could not be compared, and none is known to differ",
        ),
        "dropped" if progress.rows_that_are_the_same().is_some() => (0, "is dropped"),
        "dropped" => (EXIT_CANCELLED, "is dropped: its build was cancelled"),
        "building" if progress.differs() => (
            EXIT_DIFFERENT,
            "does not serve: its rows are not those of the one that serves. \
             `cancel` deletes it; after that, a rebuild with --expect-changes serves nevertheless",
        ),
        "building" if progress.is_undecided() => (
            EXIT_UNDECIDED,
            "does not serve: some of its rows could not be compared, and none is known to differ. \
             When those that are parked are made, or change less, `resume` compares all rows anew. \
             `cancel` deletes it; after that, a rebuild with --expect-changes serves nevertheless",
        ),
        "ready" if progress.parked > 0 => (
            EXIT_UNDECIDED,
            "does not serve yet: it has parked rows that the one that serves has not. It serves by itself once they are made. \
             `parked list` shows them; `cancel` deletes it",
        ),
        _ => return None,
    };
    let rows = progress.rows_that_are_the_same();
    let rows = rows.map(|rows| format!(" Rows that were compared: {rows}, all the same."));
    let (generation, rows) = (progress.generation, rows.unwrap_or_default());
    let text = format!("Generation {generation} of `{read_model}` {text}.{rows}");
    Some((ExitCode::from(code), text))
}

/// The bar, which measures the rate also if it is not shown.
fn bar(read_model: &str, generation: i32, is_shown: bool) -> ProgressBar {
    let target = if is_shown {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = "{prefix} {wide_bar} {percent}% {pos}/{len} {per_sec}, {eta} left {msg}";
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let bar = bar.with_prefix(format!("{read_model} {generation}"));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: &BuildProgress) {
    bar.set_length(progress.head.unsigned_abs());
    bar.set_position(progress.position.unsigned_abs());
    bar.set_message(
        match (&progress.blocked, progress.paused, progress.parked) {
            (Some(reason), ..) => format!("blocked: {reason}"),
            (None, true, _) => "paused".to_owned(),
            (None, false, 0) => String::new(),
            (None, false, parked) => format!("waits: {parked} rows are parked"),
        },
    );
}
