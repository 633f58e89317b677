//! Lists the actions that a refusal ended, and has one tried again, which the log records first.

use std::process::ExitCode;

use chrono::SecondsFormat;
use serde_json::json;
use tidemark_platform::Config;

use super::command_api::CommandApi;
use super::{Actions, Error, connect, print};
use crate::reacting::given_up;
use crate::reacting::given_up::GivenUp;

pub(super) async fn execute(config: &Config, command: Actions) -> Result<ExitCode, Error> {
    let pool = connect(config)?;
    match command {
        Actions::List {
            limit,
            before,
            json,
        } => {
            let list = given_up::list(&pool, before, limit.into());
            let actions = pool.with_timeout(list).await?;
            if json {
                print(&serde_json::to_string_pretty(&actions)?);
            } else {
                for action in &actions {
                    print(&line(action));
                }
            }
        }
        Actions::Retry {
            reactor,
            position,
            target,
        } => {
            let find = given_up::find(&pool, &reactor, position, &target);
            let action = pool.with_timeout(find).await?;
            let action = action.ok_or(Error::NotGivenUp)?;
            record(config, &action).await?;
            pool.with_timeout(given_up::retry(&pool, &action)).await?;
            print("The action is tried again.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the retry on record. The key names the attempt that was refused, so that a command which is repeated
/// because its end was not seen records nothing more.
async fn record(config: &Config, action: &GivenUp) -> Result<(), Error> {
    let GivenUp {
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
    });
    let key = format!("{reactor}-{position:016}-{target}-{attempts}");
    CommandApi::new(config)?
        .record("/v1/retries", Some(key), &body)
        .await
}

fn line(action: &GivenUp) -> String {
    let GivenUp {
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
    format!(
        "{reactor} {position} {target}: {refusal} at {ended_at}, attempt {attempts}, POST {path}"
    )
}
