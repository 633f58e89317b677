//! Lists parked rows, and orders in the log that one is tried again, which its workers carry out in every generation.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Subcommand, value_parser};
use serde_json::json;
use tidemark_event_store::TimedPool;
use tidemark_platform::Config;
use tidemark_read_models::operations::parked;
use tidemark_read_models::operations::parked::ParkedRow;
use uuid::Uuid;

use super::arguments::fold_version;
use super::command_api::CommandApi;
use super::postgres::connect;
use super::{Error, arguments, print, print_lines};

/// What is done about parked rows.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List them, the last parked first
    #[command(after_help = "Example: tidemark-projector parked list --limit 100")]
    List {
        /// How many to list at most
        #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// List those that were parked before this time, such as 2027-01-31T12:00:00Z: that of the last one of the list
        /// before
        #[arg(long, value_name = "TIME", value_parser = arguments::time)]
        before: Option<DateTime<Utc>>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one as JSON
    #[command(
        after_help = "Example: tidemark-projector parked show auction 0198a000-0000-7000-8000-000000000000"
    )]
    Show {
        #[command(flatten)]
        row: Row,
    },
    /// Have one tried again, and put that on record
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `request_repair`.
    #[command(
        after_help = "Example: tidemark-projector parked retry auction 0198a000-0000-7000-8000-000000000000 --reason 'the disk has room again'"
    )]
    Retry {
        #[command(flatten)]
        row: Row,
        /// Why it should succeed now
        #[arg(long)]
        reason: String,
    },
    /// Have one tried without the first event that it lacks, for ever, and put that on record
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `request_repair`.
    #[command(
        after_help = "Example: tidemark-projector parked skip auction 0198a000-0000-7000-8000-000000000000 --reason 'the bid was a test'"
    )]
    Skip {
        #[command(flatten)]
        row: Row,
        /// Why the row is better without that event
        #[arg(long)]
        reason: String,
    },
}

/// A parked row, as `list` prints it.
#[derive(Debug, clap::Args)]
pub(super) struct Row {
    /// The read model of the row
    #[arg(value_parser = arguments::ReadModelName)]
    read_model: String,
    /// The id of the row
    #[arg(value_parser = arguments::id)]
    id: Uuid,
}

pub(super) async fn execute(config: &Config, command: Command) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    match command {
        Command::List {
            limit,
            before,
            json,
        } => {
            let before = before.map(|before| (before, String::new(), 0, Uuid::nil()));
            let list = || parked::list(&pool, before.clone(), limit.into());
            let rows = pool.read(list).await?;
            if json {
                print(&serde_json::to_string_pretty(&rows)?);
            } else {
                print_lines(rows.iter().map(line), "No row is parked.");
            }
        }
        Command::Show { row } => {
            let row = find(&pool, &row).await?;
            print(&serde_json::to_string_pretty(&row)?);
        }
        Command::Retry { row, reason } => {
            let row = find(&pool, &row).await?;
            record(config, &row, "retry", &reason).await?;
            print("The row is tried again.");
        }
        Command::Skip { row, reason } => {
            let row = find(&pool, &row).await?;
            record(config, &row, "skip", &reason).await?;
            let position = row.position;
            print(&format!(
                "The row is tried without the event at {position}."
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(pool: &TimedPool, row: &Row) -> Result<ParkedRow, Error> {
    let find = || parked::find(pool, &row.read_model, row.id);
    match pool.read(find).await? {
        Some(found) => Ok(found),
        // A read model of another build may have parked rows, too, so the name is not looked at before.
        None => Err(fold_version(&row.read_model)
            .err()
            .unwrap_or(Error::NotParked)),
    }
}

/// Puts the repair of the attempt that failed on record.
async fn record(config: &Config, row: &ParkedRow, remedy: &str, reason: &str) -> Result<(), Error> {
    let body = json!({
        "read_model": row.read_model,
        "row_id": row.id,
        "position": row.position,
        "remedy": remedy,
        "reason": reason,
    });
    let attempt = format!("{} {}", row.generation, row.attempts);
    CommandApi::new(config)?
        .record_once("/v1/repairs", &body, &attempt)
        .await
        .map(drop)
}

fn line(row: &ParkedRow) -> String {
    let ParkedRow {
        read_model,
        generation,
        id,
        position,
        reason,
        attempts,
        parked_at,
        waiting,
        ..
    } = row;
    let parked_at = parked_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!(
        "{read_model} {id} in generation {generation}: lacks {position} since {parked_at}, attempt {attempts}, {waiting} events wait: {reason}"
    )
}
