//! A read model may have several shards, which several projectors share, and a slow shard delays only
//! its own rows and lists.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tidemark_read_models::{ReadModel, Shard, for_each_read_model};
use tidemark_tests::app::AppBuilder;
use tidemark_tests::eventually;
use tidemark_tests::{App, Process, from_environment};
use uuid::Uuid;

use super::replay::{assert_documents, assert_rows};

pub(super) const SHARDS: i32 = 3;

/// Divides every read model into [`SHARDS`] shards.
pub(super) fn with_shards(builder: AppBuilder) -> AppBuilder {
    let names = for_each_read_model!(variable());
    names
        .iter()
        .fold(builder, |app, name| app.set(name, SHARDS))
}

fn variable<M: ReadModel>() -> String {
    format!("TIDEMARK_PROJECTION__SHARDS__{}", M::NAME.to_uppercase())
}

/// The checkpoint of the shard that holds an auction.
async fn checkpoint_of(app: &App, auction: Uuid) -> i64 {
    let sql = "select position from checkpoints where read_model = 'auction' and shard = $1";
    sqlx::query_scalar(sql)
        .bind(Shard::of(auction, SHARDS).number)
        .fetch_one(&app.database.pool)
        .await
        .unwrap()
}

/// For each projector at work, how many shards of the auctions it holds leases for.
async fn shards_per_holder(app: &App) -> Vec<i64> {
    sqlx::query_scalar(
        "select count(*)
           from leases
          where name like 'projection:auction:%'
            and expires_at > clock_timestamp()
          group by holder",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn two_projectors_share_the_shards_of_one_read_model() {
    let name = "TIDEMARK_PROJECTION__SHARDS__AUCTION";
    let app = App::builder().projector().set(name, SHARDS).start().await;
    eventually(
        "one projector to hold all shards of the auctions",
        || async { (shards_per_holder(&app).await == [i64::from(SHARDS)]).then_some(()) },
    )
    .await;
    let _another = app.another_projector().await;
    eventually("both projectors to hold shards of the auctions", || async {
        (shards_per_holder(&app).await.len() == 2).then_some(())
    })
    .await;
    let market = app.market().await;
    for _ in 0..SHARDS {
        market.auction(json!({})).await;
    }
    market.draft().await;
    app.settle().await;
    assert_documents(&app).await;

    // Another number of shards would take a rebuild, so `status` shows both.
    let mut settings = app.settings.clone();
    settings.set(name, "2");
    let status = Process::operators_tool(&settings, &["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let read_models = status["read_models"].as_array().unwrap();
    let auctions = read_models.iter().filter(|it| it["name"] == "auction");
    let shards: Vec<_> = auctions
        .map(|it| [&it["shard"], &it["shards"], &it["shards_configured"]])
        .collect();
    assert_eq!(json!(shards), json!([[0, 3, 2], [1, 3, 2], [2, 3, 2]]));
}

/// A lock on one of its rows makes a shard slow. Rows of the other shards are read and watched without
/// delay; a read of its own rows or of a list waits for it.
#[tokio::test]
async fn a_slow_shard_delays_its_rows_and_lists_alone() {
    let app = with_shards(App::builder().relay().projector().queries());
    let app = app.set("TIDEMARK_QUERY__WAIT_MS", 1_000).start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let slow = market.auction(json!({})).await;
    let fast = loop {
        let auction = market.auction(json!({})).await;
        if Shard::of(auction, SHARDS) != Shard::of(slow, SHARDS) {
            break auction;
        }
    };
    buyer.bid(slow, 1_000).await.ok();
    app.settle().await;

    let url = app
        .database
        .url_like(&from_environment("TIDEMARK_TEST_DATABASE_URL"));
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut lock = connection.begin().await.unwrap();
    sqlx::query("select from auction_rows where id = $1 for update")
        .bind(slow)
        .execute(&mut *lock)
        .await
        .unwrap();
    let late = buyer.bid(slow, 1_100).await.ok();
    let stood_at = checkpoint_of(&app, slow).await;
    let mut live = app
        .client
        .query(&format!("/v1/auctions/{fast}/live"))
        .send()
        .await
        .unwrap();
    for step in 0..10 {
        let bid = buyer.bid(fast, 1_000 + 100 * step).await.ok();
        let path = format!("/v1/auctions/{fast}");
        let read = buyer.with_tidemark(bid.tidemark()).get(&path).await.ok();
        assert_eq!(read.body["bid_count"], step + 1);
    }
    let mut seen = String::new();
    while !seen.contains(r#""bid_count":10"#) {
        let chunk = live.chunk().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!(
        checkpoint_of(&app, slow).await,
        stood_at,
        "the lock did not stop the read model"
    );
    let waiting = buyer.with_tidemark(late.tidemark());
    for path in [&*format!("/v1/auctions/{slow}"), "/v1/auctions"] {
        waiting.get(path).await.problem(503, "behind");
    }

    lock.rollback().await.unwrap();
    app.settle().await;
    let read = waiting.get(&format!("/v1/auctions/{slow}")).await.ok();
    assert_eq!(read.body["bid_count"], 2);
    waiting.get("/v1/auctions").await.ok();
    assert_rows(&app).await;
    assert_documents(&app).await;
}
