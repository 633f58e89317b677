//! Lists the timelines of the log, and has it go on under a new one, which the command API does.

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::{Subcommand, value_parser};
use serde_json::json;
use tidemark_event_store::TimedPool;
use tidemark_platform::Config;
use tidemark_read_models::operations::timelines;
use tidemark_read_models::operations::timelines::Timeline;

use super::command_api::CommandApi;
use super::postgres::connect;
use super::{Error, print};

/// What is done about timelines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List them, the present one first
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`.
    #[command(after_help = "Example: tidemark-projector timeline list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have the log go on under a new timeline, because it was restored from a backup or has lost events
    ///
    /// What clients hold of the present timeline, such as a `Tidemark`, stays good up to the fork and is refused beyond
    /// it. Read models that have applied what the log has lost are built anew. Declare the fork before anything is written.
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that may `declare_fork`.
    #[command(
        after_help = "Example: tidemark-projector timeline fork --reason 'the backup of Monday was restored'"
    )]
    Fork {
        /// Why; the log records it
        #[arg(long)]
        reason: String,
        /// The last position that was restored, if anything has been written since; without it, the end of the log
        #[arg(long, value_name = "POSITION", value_parser = value_parser!(i64).range(0..))]
        shared_up_to: Option<i64>,
    },
}

pub(super) async fn execute(config: &Config, command: Command) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    match command {
        Command::List { json } => {
            let timelines = list(&pool).await?;
            if json {
                print(&serde_json::to_string_pretty(&timelines)?);
            } else {
                for timeline in &timelines {
                    print(&line(timeline));
                }
            }
        }
        Command::Fork {
            reason,
            shared_up_to,
        } => {
            let mut body = json!({ "reason": reason });
            if let Some(position) = shared_up_to {
                body["shared_up_to"] = position.into();
            }
            let api = CommandApi::new(config)?;
            api.record("/v1/forks", &body).await?;
            if let Some(present) = list(&pool).await?.first() {
                print(&line(present));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All timelines, the present one first.
async fn list(pool: &TimedPool) -> sqlx::Result<Vec<Timeline>> {
    pool.read(|| timelines::list(pool, None, i64::MAX)).await
}

fn line(timeline: &Timeline) -> String {
    let id = timeline.id;
    let set_back = if timeline.set_back {
        "; was set back: commands are refused until `timeline fork`"
    } else {
        ""
    };
    let Some((parent, forked_at)) = timeline.parent.zip(timeline.forked_at) else {
        return format!("{id}: the first{set_back}");
    };
    let declared = timeline.declared_by.as_ref().zip(timeline.declared_at);
    let declared = declared.map(|(by, at)| {
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let reason = timeline.reason.as_deref().unwrap_or_default();
        format!(", by {by} at {at}: {reason}")
    });
    let declared = declared.unwrap_or_default();
    format!("{id}: forked from {parent} at {forked_at}{declared}{set_back}")
}
