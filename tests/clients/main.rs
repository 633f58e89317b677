//! Starts the real processes with something to bid on, and lets clients that strangers' tools generate from the
//! descriptions use them, one of a protocol, and one of the store of media. `run` beside this file generates, builds and
//! starts the clients.

use std::process::{Command, ExitCode};

use serde_json::json;
use tidemark_tests::object_store::BUCKET;
use tidemark_tests::pictures::noise_file;
use tidemark_tests::{Deployment, ObjectStore};

/// Where the processes keep media in their bucket.
const PREFIX: &str = "media";

#[tokio::main]
async fn main() -> ExitCode {
    let store = ObjectStore::start().await;
    let place = format!("s3://{BUCKET}/{PREFIX}");
    let in_bucket = ("TIDEMARK_MEDIA__PLACE", &*place);
    let settings = [&store.settings()[..], &[in_bucket]].concat();
    let deployment = Deployment::start_with(&settings).await;
    let app = &deployment.app;
    let market = app.market().await;
    // Clients list two pages, each with one auction.
    let first = market.auction(json!({})).await;
    market.auction(json!({})).await;
    let picture = noise_file(300, 300);
    let setting = |name| app.settings.get(&format!("TIDEMARK_OBJECT_STORE__{name}"));
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/run");
    let status = Command::new(run)
        .env("COMMAND_URL", &deployment.command_api.url)
        .env("QUERY_URL", &deployment.query_api.url)
        .env("AUCTION_ID", first.to_string())
        .env("SELLER_TOKEN", &market.seller.access_token)
        .env("PICTURE", picture.path())
        .env("BUCKET", BUCKET)
        .env("PREFIX", PREFIX)
        .env("AWS_ENDPOINT_URL", setting("ENDPOINT"))
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", setting("ACCESS_KEY_ID"))
        .env("AWS_SECRET_ACCESS_KEY", setting("SECRET_ACCESS_KEY"))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::FAILURE,
    }
}
