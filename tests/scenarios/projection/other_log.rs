//! The log is not the one that it was: it was restored from a backup under processes that run. No row of the future
//! that was lost stays, and nothing of it is ever answered.

use serde_json::{Value, json};
use tidemark_tests::{Answer, App, Process, User, eventually};
use uuid::Uuid;

use super::failover::checkpoint;
use super::rebuilds::{DIFFERENT, generations, order, states};
use super::replay::{assert_documents, assert_rows};

/// The exit code of `status` when a read model is blocked.
const BLOCKED: i32 = 2;
/// Puts other events where the lost ones were.
const OTHER_EVENTS: &str = r#"
    insert into events
    select position, gen_random_uuid(), stream_id, version, aggregate, type, schema_version,
           replace(data::text, '"amount":1', '"amount":3')::json, metadata, recorded_at
      from lost;
    update log_head set position = (select max(position) from events)"#;

/// An auction with a bid in the backup, and three later ones that a restoration loses.
struct Case {
    app: App,
    buyer: User,
    auction: Uuid,
}

impl Case {
    async fn new() -> Self {
        let app = App::builder().projector().queries().start().await;
        let buyer = app.user().await;
        let auction = app.market().await.auction(json!({})).await;
        buyer.bid(auction, 1_000).await.ok();
        app.settle().await;
        app.database.back_up().await;
        for amount in [1_100, 1_200, 1_300] {
            buyer.bid(auction, amount).await.ok();
        }
        app.settle().await;
        Self {
            app,
            buyer,
            auction,
        }
    }

    /// Restores the backup while no command API runs, and bids again afterwards.
    async fn restore(&mut self, tables: &str, afterwards: &str) {
        self.app.stop_command_api().await;
        self.app.database.restore(tables, afterwards).await;
        self.app.start_command_api().await;
    }

    /// Waits until other generations serve than those before the fork, which nobody can go back to and are dropped.
    async fn are_built_anew(&self) {
        eventually("all read models to be built anew", || async {
            let lost: i64 = sqlx::query_scalar(
                "select count(*) from generations where state <> 'dropped' and generation = 1",
            )
            .fetch_one(&self.app.database.pool)
            .await
            .ok()?;
            (lost == 0).then_some(())
        })
        .await;
    }

    /// Has a read model look as if a newer fold had served and was taken back.
    async fn take_newer_fold_back(&self, read_model: &str) {
        let newer = "insert into generations (read_model, generation, fold_version, state)
                     select read_model, 2, fold_version + 1, 'dropped'
                       from generations
                      where read_model = $1";
        let newer = sqlx::query(newer).bind(read_model);
        newer.execute(&self.app.database.pool).await.unwrap();
    }

    /// The auction as the client of this bid sees it.
    async fn seen_with(&self, bid: &Answer) -> Answer {
        let client = self.buyer.with_tidemark(bid.tidemark());
        client.get(&format!("/v1/auctions/{}", self.auction)).await
    }
}

#[tokio::test]
async fn a_database_that_was_set_back_keeps_no_row_of_the_future_that_it_lost() {
    let mut case = Case::new().await;
    case.restore(".*", "").await;
    assert_documents(&case.app).await;
    for (count, amount) in [(2, 2_000), (3, 2_100), (4, 2_200), (5, 2_300)] {
        let bid = case.buyer.bid(case.auction, amount).await.ok();
        let seen = case.seen_with(&bid).await.ok();
        assert_eq!(seen.body["bid_count"], count, "{seen:?}");
        assert_eq!(seen.body["current_price"]["amount"], amount, "{seen:?}");
    }
    case.app.settle().await;
    assert_rows(&case.app).await;
    assert_documents(&case.app).await;
}

#[tokio::test]
async fn other_events_at_the_same_positions_are_folded_instead_of_the_lost_ones() {
    let mut case = Case::new().await;
    case.restore(".*", OTHER_EVENTS).await;
    assert_documents(&case.app).await;
    let bid = case.buyer.bid(case.auction, 4_000).await.ok();
    let seen = case.seen_with(&bid).await.ok();
    assert_eq!(seen.body["bid_count"], 5, "{seen:?}");
    case.app.settle().await;
    assert_rows(&case.app).await;
    assert_documents(&case.app).await;
}

#[tokio::test]
async fn after_a_fork_read_models_that_are_beyond_it_are_built_anew_and_reactors_go_on_from_it() {
    let mut case = Case::new().await;
    case.take_newer_fold_back("auction").await;
    case.restore("events|log_head", "").await;
    let first = case.buyer.bid(case.auction, 2_000).await.ok();
    let fork = ["timeline", "fork", "--reason", "as an exercise"];
    let settings = case.app.settings.as_service("operator");
    let forked = Process::operators_tool(&settings, &fork).await;
    assert!(forked.status.success(), "{forked:?}");
    case.buyer.bid(case.auction, 2_100).await.ok();
    case.are_built_anew().await;
    case.app.settle().await;
    assert_rows(&case.app).await;
    assert_documents(&case.app).await;
    let last = case.buyer.bid(case.auction, 2_200).await.ok();
    for bid in [first, last] {
        case.seen_with(&bid).await.ok();
    }
}

/// A build that has reached the end of the log and differs stays there until an operator decides.
#[tokio::test]
async fn a_build_that_is_beyond_a_fork_begins_anew() {
    let mut case = Case::new().await;
    let differ =
        "update category_rows set doc = replace(doc::text, '\"name\":\"', '\"name\":\"un')::json";
    let differ = sqlx::query(differ).execute(&case.app.database.pool);
    assert_ne!(differ.await.unwrap().rows_affected(), 0);
    let rebuilt = order(&case.app, &["rebuild", "category"]).await;
    assert_eq!(rebuilt.status.code(), Some(DIFFERENT), "{rebuilt:?}");
    case.restore("events|log_head", "").await;
    let forked = order(&case.app, &["timeline", "fork"]).await;
    assert!(forked.status.success(), "{forked:?}");
    case.are_built_anew().await;
    let expected = states(&["dropped", "dropped", "serving"]);
    assert_eq!(generations(&case.app, "category").await, expected);
    case.app.settle().await;
    assert_rows(&case.app).await;
}

#[tokio::test]
async fn a_read_model_that_is_ahead_of_the_log_stands_still_and_says_so() {
    let mut case = Case::new().await;
    let ahead = checkpoint(&case.app, "auction").await;
    case.restore("events|log_head", "").await;
    // The log grows beyond the checkpoints again, with other events.
    let mut bids = Vec::new();
    for amount in [2_000, 2_100, 2_200, 2_300] {
        bids.push(case.buyer.bid(case.auction, amount).await.ok());
    }
    let status = eventually("the read models to be blocked", || async {
        let status = Process::operators_tool(&case.app.settings, &["status", "--json"]).await;
        let found: Value = serde_json::from_slice(&status.stdout).unwrap();
        let read_models = found["read_models"].as_array().unwrap();
        let is_blocked = |it: &Value| {
            it["blocked"]
                .as_str()
                .is_some_and(|why| why.contains("another timeline"))
        };
        let are_blocked = read_models.iter().all(is_blocked);
        are_blocked.then_some(status.status.code())
    })
    .await;
    assert_eq!(status, Some(BLOCKED));
    // A query API that nobody waits at looks at the checkpoints less often, and until then knows of no block.
    eventually("the query API to know of it", || async {
        (case.seen_with(&bids[0]).await.status == 503).then_some(())
    })
    .await;
    for bid in &bids {
        case.seen_with(bid).await.problem(503, "blocked");
    }
    assert_eq!(checkpoint(&case.app, "auction").await, ahead);
}
