//! Who appends wakes those who wait for it in the same process: nothing is late, however seldom they look.

use serde_json::json;
use tidemark_command_api::ProcessRoles;
use tidemark_tests::{App, eventually};

/// Longer than any test waits.
const SELDOM_MS: u32 = 3_600_000;

#[tokio::test]
async fn a_relay_publishes_at_once_what_its_process_appends() {
    let app = App::builder()
        .relay()
        .set("TIDEMARK_RELAY__IDLE_POLL_MS", SELDOM_MS)
        .set("TIDEMARK_RELAY__IDLE_POLL_MAX_MS", SELDOM_MS)
        .start()
        .await;
    for _ in 0..3 {
        app.user().await;
        app.settle().await;
    }
}

#[tokio::test]
async fn a_relay_publishes_at_once_what_another_process_appends() {
    let app = App::builder()
        .relay()
        .set("TIDEMARK_RELAY__IDLE_POLL_MS", SELDOM_MS)
        .set("TIDEMARK_RELAY__IDLE_POLL_MAX_MS", SELDOM_MS)
        .start()
        .await;
    for relay in [true, false] {
        let roles = ProcessRoles { api: true, relay };
        let other = app.another_command_api(roles).await;
        let admin = app.admin().await.via_command_api(&other.url);
        for number in 0..3 {
            let category = json!({"name": "Clocks", "slug": format!("clocks-{relay}-{number}")});
            admin.post("/v1/categories", &category).await.ok();
            app.settle().await;
        }
    }
}

#[tokio::test]
async fn a_sender_sends_in_time_what_a_reactor_of_its_process_has_stored() {
    let app = App::builder()
        .projector()
        .set("TIDEMARK_REACTOR__POLL_MS", SELDOM_MS)
        .set("TIDEMARK_REACTOR__POLL_MAX_MS", SELDOM_MS)
        .start()
        .await;
    let market = app.market().await;
    for _ in 0..2 {
        let soon = app.database.in_seconds(1).await;
        market.auction(json!({"starts_at": soon})).await;
        eventually("the auction to be opened", || async {
            let opened = "select count(*) from events where type = 'auction.opened'";
            let scheduled = "select count(*) from events where type = 'auction.scheduled'";
            let count = async |sql| -> i64 {
                let count = sqlx::query_scalar(sql).fetch_one(&app.database.pool);
                count.await.unwrap()
            };
            (count(opened).await == count(scheduled).await).then_some(())
        })
        .await;
    }
}
