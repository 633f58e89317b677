//! Starts the real processes with something to bid on, and lets clients that strangers' tools generate from the
//! descriptions use them, and one of a protocol. `run` beside this file generates, builds and starts the clients.

use std::process::{Command, ExitCode};

use serde_json::json;
use tidemark_tests::Deployment;
use tidemark_tests::pictures::noise_file;

#[tokio::main]
async fn main() -> ExitCode {
    let deployment = Deployment::start().await;
    let app = &deployment.app;
    let market = app.market().await;
    // Clients list two pages, each with one auction.
    let first = market.auction(json!({})).await;
    market.auction(json!({})).await;
    let picture = noise_file(300, 300);
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/run");
    let status = Command::new(run)
        .env("COMMAND_URL", &deployment.command_api.url)
        .env("QUERY_URL", &deployment.query_api.url)
        .env("AUCTION_ID", first.to_string())
        .env("SELLER_TOKEN", &market.seller.access_token)
        .env("PICTURE", picture.path())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::FAILURE,
    }
}
