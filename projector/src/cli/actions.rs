//! Lists the actions that were given up, and has one tried again or drops one, which the log records first.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Subcommand, value_parser};
use serde_json::json;
use tidemark_event_store::TimedPool;
use tidemark_platform::Config;
use tidemark_read_models::operations::given_up;
use tidemark_read_models::operations::given_up::GivenUpAction;

use super::command_api::CommandApi;
use super::postgres::connect;
use super::{Error, arguments, print, print_lines};
use crate::reacting;

/// What is done about actions that were given up.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List them, the last ended first
    #[command(after_help = "Example: tidemark-projector actions list --limit 100")]
    List {
        /// How many to list at most
        #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// List those that ended before this time, such as 2027-01-31T12:00:00Z: that of the last one of the list before
        #[arg(long, value_name = "TIME", value_parser = arguments::time)]
        before: Option<DateTime<Utc>>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have one tried again, and put that on record
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service
    /// that may `request_retry`. REACTOR, POSITION and TARGET are those that `list` prints.
    #[command(
        after_help = "Example: tidemark-projector actions retry auction-timer 42 close --reason 'the rule was mended'"
    )]
    Retry {
        #[command(flatten)]
        action: Action,
        /// Why it is to be tried again; the log records it
        #[arg(long)]
        reason: String,
    },
    /// Drop one that was given up or has not ended, so that it is never tried again, and put that on record
    ///
    /// One that is being sent at this moment may still act. Needs `TIDEMARK_DATABASE__PROJECT_URL`,
    /// `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that may `drop_action`.
    #[command(
        after_help = "Example: tidemark-projector actions drop auction-timer 42 close --reason 'it was closed by hand'"
    )]
    Drop {
        #[command(flatten)]
        action: Action,
        /// Why it need not be done; the log records it
        #[arg(long)]
        reason: String,
    },
}

/// An action of a reactor.
#[derive(Debug, clap::Args)]
pub(super) struct Action {
    /// The reactor whose action it is
    reactor: String,
    /// The position of the event that the action follows from
    position: i64,
    /// What tells the action from others that follow from that event
    target: String,
}

pub(super) async fn execute(config: &Config, command: Command) -> Result<ExitCode, Error> {
    let pool = connect(config).await?;
    match command {
        Command::List {
            limit,
            before,
            json,
        } => {
            let before = before.map(|before| (before, String::new(), 0, String::new()));
            let list = || given_up::list(&pool, before.clone(), limit.into());
            let actions = pool.read(list).await?;
            if json {
                print(&serde_json::to_string_pretty(&actions)?);
            } else {
                print_lines(actions.iter().map(line), "No action was given up.");
            }
        }
        Command::Drop { action, reason } => drop_action(config, &pool, &action, &reason).await?,
        Command::Retry { action, reason } => {
            let Action {
                reactor,
                position,
                target,
            } = action;
            let find = || given_up::find(&pool, &reactor, position, &target);
            let action = pool.read(find).await?;
            let action = action.ok_or(Error::NotGivenUp)?;
            record(config, &action, &reason).await?;
            let retried = reacting::given_up::retry(&pool, &action);
            pool.with_timeout(retried).await?;
            print("The action is tried again.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Drops an action, which is put on record first.
async fn drop_action(
    config: &Config,
    pool: &TimedPool,
    action: &Action,
    reason: &str,
) -> Result<(), Error> {
    let Action {
        reactor,
        position,
        target,
    } = action;
    let is_open = || given_up::is_open(pool, reactor, *position, target);
    if !pool.read(is_open).await? {
        return Err(Error::NotOpen);
    }
    let body = json!({
        "reactor": reactor,
        "cause_position": position,
        "target": target,
        "reason": reason,
    });
    let command_api = CommandApi::new(config)?;
    command_api.record_once("/v1/drops", &body, "").await?;
    let dropped = reacting::given_up::drop_action(pool, reactor, *position, target);
    pool.with_timeout(dropped).await?;
    print("The action is dropped.");
    Ok(())
}

/// Puts the retry of the attempt that was refused on record.
async fn record(config: &Config, action: &GivenUpAction, reason: &str) -> Result<(), Error> {
    let GivenUpAction {
        reactor,
        position,
        target,
        attempts,
        refusal,
        ..
    } = action;
    let body = json!({
        "reactor": reactor,
        "cause_position": position,
        "target": target,
        "refusal": refusal,
        "reason": reason,
    });
    CommandApi::new(config)?
        .record_once("/v1/retries", &body, &attempts.to_string())
        .await
        .map(drop)
}

fn line(action: &GivenUpAction) -> String {
    let GivenUpAction {
        reactor,
        position,
        target,
        path,
        ended_at,
        attempts,
        refusal,
        ..
    } = action;
    let ended_at = ended_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let request = if path.is_empty() {
        "what follows from the event is not known".to_owned()
    } else {
        format!("POST {path}")
    };
    format!("{reactor} {position} {target}: {refusal} at {ended_at}, attempt {attempts}, {request}")
}
