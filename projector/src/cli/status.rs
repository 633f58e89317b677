//! Shows how far everything is behind the log, once or again and again. All of it is read from Postgres.

mod rates;
mod table;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::Config;
use tidemark_read_models::operations::reactors::ReactorStatus;
use tidemark_read_models::operations::relay::RelayStatus;
use tidemark_read_models::operations::shards::ShardStatus;
use tidemark_read_models::operations::{reactors, relay, shards};

pub(super) use self::table::state;

use self::rates::Rates;
use super::postgres::{connect, pool};
use super::{Error, print, print_again};
use crate::error::with_causes;
use crate::projecting::shards::{ShardCounts, configured, count};

/// The exit code if a read model, a reactor or the relay is blocked, a row is parked, an event is unanswered, or the log was set
/// back.
const EXIT_BLOCKED: u8 = 2;
/// The pause before everything is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The state of a deployment. It is read by several statements, so its parts may be moments apart.
#[derive(Debug, Serialize)]
struct Status {
    head: i64,
    timeline: i32,
    /// Whether the log has lost events, so that commands are refused until a fork is declared.
    set_back: bool,
    relay: WithRate<RelayStatus>,
    read_models: Vec<Shard>,
    reactors: Vec<WithRate<ReactorStatus>>,
}

/// A status, and how many events were done in a second since the look before.
#[derive(Debug, Serialize)]
struct WithRate<T> {
    #[serde(flatten)]
    status: T,
    rate: Option<f64>,
}

/// A shard of a read model, and what the configuration wants.
#[derive(Debug, Serialize)]
struct Shard {
    #[serde(flatten)]
    status: ShardStatus,
    /// The configured number of shards, if it is another. It takes a rebuild to get there.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards_configured: Option<i32>,
}

/// How the status is shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Output {
    /// Look again every second, until interrupted
    #[arg(long)]
    watch: bool,
    /// Print JSON, one line for each look with --watch
    #[arg(long)]
    json: bool,
}

pub(super) async fn status(config: &Config, output: Output) -> Result<ExitCode, Error> {
    let configured = configured(&config.projection)?;
    if output.watch {
        return watch(&pool(config)?, &configured, output.json).await;
    }
    let pool = connect(config).await?;
    let status = Status::read(&pool, &configured).await?;
    if output.json {
        print(&serde_json::to_string_pretty(&status)?);
    } else {
        print(&table::table(&status));
    }
    Ok(if status.needs_help() {
        ExitCode::from(EXIT_BLOCKED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Looks again and again. If Postgres does not answer, that is shown, and the next look may succeed.
async fn watch(pool: &TimedPool, configured: &ShardCounts, json: bool) -> Result<ExitCode, Error> {
    let is_terminal = std::io::stdout().is_terminal();
    let mut rates = Rates::default();
    loop {
        match Status::read(pool, configured).await {
            Ok(mut status) => {
                rates.look(&mut status);
                if json {
                    print(&serde_json::to_string(&status)?);
                } else if is_terminal {
                    print_again(&table::table(&status));
                } else {
                    print(&format!("{}\n", table::table(&status)));
                }
            }
            Err(error) => eprintln!("tidemark-projector: {}", with_causes(&error)),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

impl Status {
    async fn read(pool: &TimedPool, configured: &ShardCounts) -> Result<Self, Error> {
        let read_models = pool.read(|| shards::list(pool, None, i64::MAX)).await?;
        let reactors = pool.read(|| reactors::list(pool, None, i64::MAX)).await?;
        let relay = pool.read(|| relay::get(pool)).await?;
        let log = Log::new(pool.clone()).head().await?;
        let read_models = read_models.into_iter().map(|status| {
            let wanted = count(configured, &status.name);
            let differs = status.shards.is_some_and(|shards| shards != wanted);
            Shard {
                status,
                shards_configured: differs.then_some(wanted),
            }
        });
        Ok(Self {
            head: relay.head,
            timeline: log.timeline,
            set_back: log.is_set_back,
            read_models: read_models.collect(),
            reactors: reactors.into_iter().map(WithRate::from).collect(),
            relay: relay.into(),
        })
    }

    /// Whether anything is blocked, parked or unanswered, or the log was set back. Actions that were refused for good do not
    /// count, because most of them are so rightly.
    fn needs_help(&self) -> bool {
        let shards = self.read_models.iter().map(|shard| &shard.status);
        let mut reactors = self.reactors.iter().map(|reactor| &reactor.status);
        shards
            .into_iter()
            .any(|it| it.blocked.is_some() || it.parked > 0)
            || reactors.any(|it| it.blocked.is_some() || it.unanswered > 0)
            || self.relay.status.alarm.is_some()
            || self.set_back
    }
}

impl<T> From<T> for WithRate<T> {
    fn from(status: T) -> Self {
        Self { status, rate: None }
    }
}
