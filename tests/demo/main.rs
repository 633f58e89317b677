//! The demo: sellers and bidders run live auctions on a running stack, through its public API. The
//! terminal shows each event, and how far read models lag.
#![expect(clippy::print_stdout, reason = "showing events is what this is for")]

mod api;
mod auctions;
mod demo_data;
mod people;
mod terminal;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use api::{Api, Failure};
use auctions::LiveAuctions;
use people::People;
use terminal::Terminal;

/// Runs live auctions on a running stack, and shows each bid: its position in the log, when its
/// command was answered, and when a query showed it.
///
/// Two sellers and five bidders are registered at the first start, with some demo data. Every 5 s a
/// line shows the rate of accepted commands, how many bids were refused, how long a bid takes until
/// a query shows it, and by how many events the read models lag.
#[derive(Parser)]
#[command(version, override_usage = "./dev demo [OPTIONS]")]
struct Arguments {
    /// Only load the demo data, if it is not there yet
    #[arg(long)]
    seed: bool,
    /// Stop after this many minutes instead of at Ctrl-C. Example: --minutes 5
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
    /// How long each auction lasts, in seconds. Example: --auction-seconds 60
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=3600))]
    auction_seconds: u32,
    /// The URL of the command API
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEMARK_COMMAND_API__URL",
        default_value = "http://127.0.0.1:7001"
    )]
    command_url: String,
    /// The URL of the query API
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEMARK_QUERY_API__URL",
        default_value = "http://127.0.0.1:7002"
    )]
    query_url: String,
    /// The URL of the projector, whose metrics show the lag
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEMARK_PROJECTOR__URL",
        default_value = "http://127.0.0.1:7003"
    )]
    projector_url: String,
    /// The administrator's e-mail address
    #[arg(long, value_name = "ADDRESS", env = "TIDEMARK_TEST_ADMIN_EMAIL")]
    admin_email: String,
    /// The administrator's password
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "TIDEMARK_TEST_ADMIN_PASSWORD",
        hide_env_values = true
    )]
    admin_password: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let api = Api::new(&arguments.command_url, &arguments.query_url);
    let people = People::log_in(&api, &arguments.admin_email, &arguments.admin_password).await?;
    let categories = demo_data::load(&api, &people).await?;
    if arguments.seed {
        return Ok(());
    }
    let stop = CancellationToken::new();
    let terminal = Arc::new(Terminal::new(&arguments.projector_url));
    let live_auctions = LiveAuctions {
        api,
        categories,
        terminal: Arc::clone(&terminal),
        auction_seconds: arguments.auction_seconds,
        stop: stop.clone(),
    };
    Terminal::show_legend();
    let tasks = auctions::start(&Arc::new(live_auctions), people);
    let summaries = tokio::spawn(terminal.show_summaries(stop.clone()));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = sleep_minutes(arguments.minutes) => {}
    }
    stop.cancel();
    for task in tasks.into_iter().chain([summaries]) {
        task.await.map_err(Failure::from_display)?;
    }
    Ok(())
}

async fn sleep_minutes(minutes: Option<u64>) {
    match minutes {
        Some(minutes) => tokio::time::sleep(Duration::from_mins(minutes)).await,
        None => std::future::pending().await,
    }
}
