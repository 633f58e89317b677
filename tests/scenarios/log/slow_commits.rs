//! Slow commits, with the settings of production: commands become as slow as the commits, and no slower.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::Value;
use tidemark_tests::{App, Client};

use super::contention::{batches, make_commits_slow};
use super::fairness::{draft, in_production};

/// How long a commit takes: nearly as long as a decision may be old.
const COMMIT_MS: u32 = 1_800;
/// How long one append may take, with all that is around its commit.
const APPEND_MAX: Duration = Duration::from_millis(COMMIT_MS as u64 + 300);
/// For how long the clients send.
const WINDOW: Duration = Duration::from_millis(6 * COMMIT_MS as u64);
const SELLERS: usize = 4;
const CLIENTS: usize = 4 * SELLERS;

/// Who sends while a batch is committed waits for that, and for its own: so every second batch has room for all.
#[tokio::test]
async fn commands_become_as_slow_as_commits_and_no_slower() {
    let app = App::start().await;
    let market = app.market().await;
    let process = in_production(&app).await;
    let body = draft(&market, "");
    let mut sellers = Vec::new();
    for _ in 0..SELLERS {
        let seller = app.seller().await.via_command_api(&process.url);
        // The states that the drafts rest on are in memory afterwards.
        seller.post("/v1/products", &body).await.ok();
        sellers.push(seller);
    }
    let pool = &app.database.pool;
    make_commits_slow(pool, COMMIT_MS).await;
    let (before, started) = (batches(pool).await, Instant::now());
    let clients = sellers.iter().cycle().take(CLIENTS);
    let accepted = join_all(clients.map(|client| send(client, &body, started))).await;
    let after = batches(pool).await;
    let accepted: usize = accepted.into_iter().sum();
    let commits = usize::try_from(WINDOW.as_millis() / APPEND_MAX.as_millis()).unwrap();
    let expected = CLIENTS * (commits - 1) / 2;
    assert!(
        accepted >= expected,
        "{accepted} were accepted, and not {expected}"
    );
    assert_eq!(
        after.0 - before.0,
        after.1 - before.1,
        "a batch was refused"
    );
}

/// Drafts one product after another until the window is over. Returns how many were accepted within it.
async fn send(client: &Client, body: &Value, started: Instant) -> usize {
    let mut accepted = 0;
    while started.elapsed() < WINDOW {
        let sent = Instant::now();
        client.post("/v1/products", body).await.ok();
        let waited = sent.elapsed();
        assert!(waited < 3 * APPEND_MAX, "an answer took {waited:?}");
        accepted += usize::from(started.elapsed() < WINDOW);
    }
    accepted
}
