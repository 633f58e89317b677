//! Shows how far the relay is and why it has stopped, and tells it how to go on, which the log records first.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Subcommand, value_parser};
use serde_json::json;
use tidemark_platform::Config;
use tidemark_read_models::operations::relay;
use tidemark_read_models::operations::relay::RelayStatus;

use super::command_api::CommandApi;
use super::postgres::connect;
use super::status::state;
use super::{Error, print};

/// The exit code if the relay has stopped with an alarm.
const EXIT_ALARM: u8 = 2;

/// What is done about the relay.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show how far the relay is, why it has stopped if it has, and how far each partition is
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`. The exit code is 2 if the relay has stopped with an alarm.
    #[command(after_help = "Example: tidemark-projector relay status --json")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have the topics keep what they hold, also what this log does not hold, and the log published behind it
    ///
    /// This ends the alarm that log and topics contradict each other, such as after a backup was restored. Declare the
    /// fork first, so that consumers can tell the records of the lost future from those that follow: until then, the relay
    /// does not do it. It reads the topics once, and publishes every event of the log that they do not hold.
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `adopt_topics`.
    #[command(
        after_help = "Example: tidemark-projector relay adopt --reason 'the backup of Monday was restored'"
    )]
    Adopt {
        /// Why; the log records it
        #[arg(long)]
        reason: String,
    },
    /// Have the log published again, behind what the topics hold
    ///
    /// Consumers drop the records that they have handled already.
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `republish_log`.
    #[command(
        after_help = "Example: tidemark-projector relay republish --from 4711 --reason 'a topic had lost records'"
    )]
    Republish {
        /// Why; the log records it
        #[arg(long)]
        reason: String,
        /// The position of the first event that is published again
        #[arg(long, value_name = "POSITION", value_parser = value_parser!(i64).range(1..))]
        from: i64,
    },
}

pub(super) async fn execute(config: &Config, command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Status { json } => {
            let pool = connect(config).await?;
            let status = pool.read(|| relay::get(&pool)).await?;
            print(&if json {
                serde_json::to_string_pretty(&status)?
            } else {
                text(&status)
            });
            if status.alarm.is_some() {
                return Ok(ExitCode::from(EXIT_ALARM));
            }
        }
        Command::Adopt { reason } => {
            let api = CommandApi::new(config)?;
            let body = json!({ "reason": reason });
            api.record("/v1/adoptions", &body).await?;
            print(
                "The relay adopts what the topics hold when it comes to this order, if the fork is declared.",
            );
        }
        Command::Republish { reason, from } => {
            let api = CommandApi::new(config)?;
            let body = json!({ "from_position": from, "reason": reason });
            api.record("/v1/republications", &body).await?;
            print(&format!(
                "The relay publishes the log again from position {from} when it comes to this order."
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text(it: &RelayStatus) -> String {
    let holder = it.holder.map(|holder| format!(", held by {holder}"));
    let asked = if it.is_asked {
        "; an operator wants something that it has not done yet"
    } else {
        ""
    };
    let mut text = format!(
        "relay  {}{asked}\nterm   {}{}\nlog    published up to {} of {}, {} behind\n",
        state(it.condition, it.alarm.as_deref(), true),
        it.epoch,
        holder.unwrap_or_default(),
        it.position.unwrap_or(0),
        it.head,
        it.lag,
    );
    line(
        &mut text,
        [
            "TOPIC",
            "PARTITION",
            "POSITION",
            "NEXT OFFSET",
            "ADOPTED UNTIL",
        ],
    );
    for it in &it.partitions {
        let numbers = [
            it.partition.into(),
            it.position,
            it.next_offset,
            it.adopted_until,
        ];
        let [partition, position, next_offset, adopted] =
            numbers.map(|number: i64| number.to_string());
        line(
            &mut text,
            [&it.topic, &partition, &position, &next_offset, &adopted],
        );
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(text: &mut String, [topic, partition, position, next_offset, adopted]: [&str; 5]) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{topic:<36}{partition:>10}{position:>12}{next_offset:>13}{adopted:>15}"
    );
}
