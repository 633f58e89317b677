//! The demo: sellers and bidders that run live auctions against a running stack, through its public
//! API, with a ticker that shows commands, events, read models and lag move.
#![expect(clippy::print_stdout, reason = "the ticker is what this is for")]

mod api;
mod live;
mod people;
mod seed;
mod ticker;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use api::{Api, Failure};
use people::Cast;
use ticker::Ticker;

/// Runs live auctions against a running stack, and shows what happens.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Only load the demo data, if it is not there yet.
    #[arg(long)]
    seed: bool,
    /// Stop after so many minutes; without it, on Ctrl-C.
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Seconds that each auction lasts.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=3600))]
    auction_seconds: u32,
    /// URL of the command API.
    #[arg(
        long,
        env = "TIDEMARK_COMMAND_API__URL",
        default_value = "http://127.0.0.1:7001"
    )]
    command_url: String,
    /// URL of the query API.
    #[arg(
        long,
        env = "TIDEMARK_QUERY_API__URL",
        default_value = "http://127.0.0.1:7002"
    )]
    query_url: String,
    /// URL of the projector, for its metrics.
    #[arg(
        long,
        env = "TIDEMARK_PROJECTOR__URL",
        default_value = "http://127.0.0.1:7003"
    )]
    projector_url: String,
    /// The administrator's e-mail address.
    #[arg(long, env = "TIDEMARK_TEST_ADMIN_EMAIL")]
    admin_email: String,
    /// The administrator's password.
    #[arg(long, env = "TIDEMARK_TEST_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let api = Api::new(&arguments.command_url, &arguments.query_url);
    let cast = Cast::assemble(&api, &arguments.admin_email, &arguments.admin_password).await?;
    let categories = seed::load(&api, &cast).await?;
    if arguments.seed {
        return Ok(());
    }
    let stop = CancellationToken::new();
    let ticker = Arc::new(Ticker::new(&arguments.projector_url));
    let stage = live::Stage {
        api,
        categories,
        ticker: Arc::clone(&ticker),
        auction_seconds: arguments.auction_seconds,
        stop: stop.clone(),
    };
    Ticker::headline();
    let acts = live::start(&Arc::new(stage), cast);
    let summary = tokio::spawn(ticker.summarise(stop.clone()));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = sleep_minutes(arguments.minutes) => {}
    }
    stop.cancel();
    for act in acts.into_iter().chain([summary]) {
        act.await.map_err(Failure::from_display)?;
    }
    Ok(())
}

async fn sleep_minutes(minutes: Option<u64>) {
    match minutes {
        Some(minutes) => tokio::time::sleep(Duration::from_mins(minutes)).await,
        None => std::future::pending().await,
    }
}
