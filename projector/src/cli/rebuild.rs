//! Builds a read model anew, and shows how far it is.

use std::io::IsTerminal;
use std::num::NonZeroU8;
use std::process::ExitCode;
use std::time::Duration;

use clap::value_parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tidemark_event_store::TimedPool;
use tidemark_events::operations::rebuild::Order;
use tidemark_platform::Config;
use tidemark_read_models::building::{self, Build};
use uuid::Uuid;

use super::arguments::fold_version;
use super::generations::{Generations, record};
use super::postgres::connect;
use super::{Error, arguments, print};
use crate::projecting::shards;
use crate::rebuilding::progress::{self, BuildProgress};

/// The pause before the progress is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The exit code if the new generation does not serve because its rows are not the same.
const EXIT_DIFFERENT: u8 = 3;
/// The exit code if the new generation does not serve because some of its rows could not be compared, or are parked.
const EXIT_UNDECIDED: u8 = 4;

/// The exit code if another command has cancelled the build.
const EXIT_CANCELLED: u8 = 1;

/// What is built, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Rebuild {
    #[command(flatten)]
    pub(super) order: Generations,
    /// Make only this row anew, from all of its events, and put that on record; needs a service that may
    /// `request_repair`
    #[arg(long, value_name = "ID", value_parser = arguments::id, conflicts_with_all = ["shards", "throttle", "expect_changes", "dry_run"])]
    row: Option<Uuid>,
    /// Make only the rows anew that take the events of this stream, one after the other, as with --row
    #[arg(long, value_name = "ID", value_parser = arguments::id, conflicts_with_all = ["row", "shards", "throttle", "expect_changes", "dry_run"])]
    stream: Option<Uuid>,
    /// Into how many shards the new generation is divided, in place of `projection.shards`
    #[arg(long)]
    pub(super) shards: Option<NonZeroU8>,
    /// How many events of the log each shard applies in a second at most while it is built
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = value_parser!(i32).range(1..))]
    pub(super) throttle: Option<i32>,
    /// Let the new generation serve also if its rows are different
    #[arg(long)]
    pub(super) expect_changes: bool,
    /// Only compare the new generation with the one that serves, and drop it
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not wait until the new generation serves
    #[arg(long)]
    pub(super) detach: bool,
}

/// The rows that alone are made anew.
pub(super) enum OnlyRows {
    /// The row with this id.
    One(Uuid),
    /// Those that take the events of this stream.
    OfStream(Uuid),
}

impl Rebuild {
    /// The rows that alone are made anew; none if the whole read model is.
    pub(super) fn rows(&self) -> Option<OnlyRows> {
        let of_stream = self.stream.map(OnlyRows::OfStream);
        self.row.map(OnlyRows::One).or(of_stream)
    }
}

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
    record(config, Order::Build, &arguments.order, None).await?;
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

/// Shows the progress until the generation serves, does not, or is dropped. Whenever no projector can build it any more, it
/// says so, and goes on waiting for one.
async fn follow(pool: &TimedPool, read_model: &str, generation: i32) -> Result<ExitCode, Error> {
    let is_terminal = std::io::stderr().is_terminal();
    let bar = bar(read_model, generation, is_terminal);
    let mut could_run = true;
    loop {
        let found = progress::of_generation(pool, read_model, generation).await?;
        let progress = found.ok_or(Error::Changed)?;
        let can_run = progress.can_run || progress.state != "building" || progress.paused;
        if could_run && !can_run {
            let hint = format!(
                "tidemark-projector: no running projector can build generation {generation} of `{read_model}`; it waits for one"
            );
            bar.suspend(|| eprintln!("{hint}"));
        }
        could_run = can_run;
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
        "dropped" => (
            EXIT_CANCELLED,
            "is dropped: its build was cancelled, or begun anew because the log was set back",
        ),
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
            (None, false, _) if !progress.can_run => "waits for a projector".to_owned(),
            (None, false, 0) => String::new(),
            (None, false, parked) => format!("waits: {parked} rows are parked"),
        },
    );
}
