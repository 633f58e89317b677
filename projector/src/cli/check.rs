//! Checks that a database is whole, and shows the progress.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sqlx::PgPool;
use tidemark_platform::Config;

use super::place::Place;
use super::postgres::owner;
use super::{Error, print};
use crate::checking::check;
use crate::checking::fingerprints::Fingerprints;

/// The exit code if the database is not whole.
const EXIT_NOT_WHOLE: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Also compare each event with this backup, in a folder or an object store
    #[arg(long, value_name = "FOLDER|s3://BUCKET/PREFIX")]
    backup: Option<PathBuf>,
}

pub(super) async fn execute(config: &Config, arguments: Check) -> Result<ExitCode, Error> {
    let pool = owner(config).await?;
    let fingerprints = match arguments.backup {
        Some(name) => Place::named(&name, config)?.fingerprints().await?,
        None => Fingerprints::Ignored,
    };
    let (code, _) = show(&pool, None, fingerprints).await?;
    Ok(code)
}

/// Checks the database, and prints the progress and what was found. It gives the fingerprints back if all is well.
pub(super) async fn show(
    pool: &PgPool,
    up_to: Option<i64>,
    mut fingerprints: Fingerprints,
) -> Result<(ExitCode, Option<Fingerprints>), Error> {
    let bar = stderr().is_terminal().then(bar);
    let progress = |position: i64, end: i64| match &bar {
        Some(bar) => {
            bar.set_length(end.unsigned_abs());
            bar.set_position(position.unsigned_abs());
        }
        None => print(&json!({ "position": position, "end": end }).to_string()),
    };
    let findings = check(pool, up_to, &mut fingerprints, progress).await?;
    match bar {
        Some(bar) => {
            bar.finish_and_clear();
            for fault in &findings.faults {
                print(&fault.to_string());
            }
            if findings.faults.is_empty() {
                print(&format!("The log is whole up to {}.", findings.end));
            }
        }
        None => print(&serde_json::to_string(&findings)?),
    }
    Ok(if findings.faults.is_empty() {
        (ExitCode::SUCCESS, Some(fingerprints))
    } else {
        (ExitCode::from(EXIT_NOT_WHOLE), None)
    })
}

fn bar() -> ProgressBar {
    let template = "{wide_bar} {percent}% {pos}/{len} {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
