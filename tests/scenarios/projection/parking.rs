//! An event that cannot be applied delays the row that it is about and nothing else. The row waits, is shown, and has all its
//! events once the cause is gone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tidemark_events::Encoded;
use tidemark_tests::{Answer, App, Client, Process, User, append_strange, eventually};
use uuid::Uuid;

use super::replay::{assert_documents, assert_rows};

/// The longest that another stream may wait because of an event that cannot be applied.
const DELAY_MAX: Duration = Duration::from_secs(1);
/// The exit code of `status` when something needs help.
const NEEDS_HELP: i32 = 2;

/// Two auctions with a bid each.
struct Case {
    app: App,
    buyer: User,
    poisoned: Uuid,
    healthy: Uuid,
    /// How long a bid takes here until it is seen while nothing is wrong.
    usual: Duration,
}

/// Bids, and gets the auction and the list of auctions with that bid in them. The last value is how long that took.
async fn bid_and_look(buyer: &User, auction: Uuid, amount: i64) -> (Answer, Answer, Duration) {
    let started = Instant::now();
    let bid = buyer.bid(auction, amount).await.ok();
    let client = buyer.with_tidemark(bid.tidemark());
    let seen = client.get(&format!("/v1/auctions/{auction}")).await.ok();
    let list = client.get("/v1/auctions").await.ok();
    (seen, list, started.elapsed())
}

impl Case {
    async fn new() -> Self {
        let app = App::start_all().await;
        let (market, buyer) = (app.market().await, app.user().await);
        let [poisoned, healthy] = [
            market.auction(json!({})).await,
            market.auction(json!({})).await,
        ];
        buyer.bid(poisoned, 1_000).await.ok();
        let (_, _, usual) = bid_and_look(&buyer, healthy, 1_000).await;
        app.settle().await;
        Self {
            app,
            buyer,
            poisoned,
            healthy,
            usual,
        }
    }

    /// Has Postgres refuse the next bid on the auction.
    async fn refuse_bids(&self) {
        let refuse = format!(
            "alter table auction_rows add constraint poison check (id <> '{}' or bid_count < 2)",
            self.poisoned
        );
        self.execute(refuse).await;
    }

    /// Does what only the owner of the database may.
    async fn execute(&self, sql: String) {
        let executed = sqlx::query(AssertSqlSafe(sql))
            .execute(&self.app.database.pool)
            .await;
        executed.unwrap();
    }

    /// The auction as this client sees it.
    async fn seen(&self, client: &Client, auction: Uuid) -> Answer {
        client.get(&format!("/v1/auctions/{auction}")).await
    }

    /// Has the auction go on without an event that cannot be read, and waits until no generation has it parked.
    async fn skip_unreadable_event(&self) {
        let unreadable = Encoded {
            event_type: "auction.bid_placed".to_owned(),
            schema_version: 1,
            data: "{}".to_owned(),
        };
        append_strange(&self.app.settings, self.poisoned, unreadable).await;
        self.app.settle().await;
        self.repair("skip").await;
        eventually("the row to go on everywhere", || async {
            let parked: i64 =
                sqlx::query_scalar("select count(*) from parked where read_model = 'auction'")
                    .fetch_one(&self.app.database.pool)
                    .await
                    .unwrap();
            (parked == 0).then_some(())
        })
        .await;
    }

    /// Does something about the parked row of the auction as an operator does, and fails unless it is on record.
    async fn repair(&self, remedy: &str) {
        let listed = Process::operators_tool(&self.app.settings, &["parked", "list", "--json"]);
        let listed: Vec<Value> = serde_json::from_slice(&listed.await.stdout).unwrap();
        let parked = listed
            .iter()
            .find(|it| it["read_model"] == "auction")
            .unwrap();
        let id = self.poisoned.to_string();
        assert_eq!(parked["id"], id);
        let show = ["parked", "show", "auction", &id];
        let shown = Process::operators_tool(&self.app.settings, &show).await;
        assert!(shown.status.success(), "{shown:?}");
        // It is one of those in several generations.
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert!(listed.contains(&shown), "{shown}");
        let settings = self.app.settings.as_service("operator");
        let arguments = [
            "parked",
            remedy,
            "auction",
            &id,
            "--reason",
            "It was a test.",
        ];
        let tool = Process::operators_tool(&settings, &arguments).await;
        assert!(tool.status.success(), "{tool:?}");
        let on_record: (String, Value) = sqlx::query_as(
            "select metadata->>'actor', data::jsonb - 'repair_id'
               from events where type = 'repair.' || $1 || '_requested' order by position desc limit 1",
        )
        .bind(remedy)
        .fetch_one(&self.app.database.pool)
        .await
        .unwrap();
        let expected = json!({
            "read_model": "auction",
            "row_id": id,
            "position": parked["position"],
            "reason": "It was a test.",
        });
        assert_eq!(on_record, ("service:operator".to_owned(), expected));
    }

    /// Fails unless the other auction goes on at once, and the list of auctions too.
    async fn assert_others_go_on(&self) {
        let (seen, list, took) = bid_and_look(&self.buyer, self.healthy, 2_000).await;
        assert_eq!(seen.body["bid_count"], 2, "{seen:?}");
        assert_eq!(seen.headers.get("tidemark-parked"), None);
        assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
        assert!(list.headers.contains_key("tidemark-parked"), "{list:?}");
        assert!(took < self.usual + DELAY_MAX, "{took:?}, {:?}", self.usual);
    }

    /// Fails unless the auction is shown without the event at `position`, and said to be.
    async fn assert_is_parked_at(&self, position: i64) {
        let token = format!("1.{position}");
        let waits = self.buyer.with_tidemark(&token);
        self.seen(&waits, self.poisoned)
            .await
            .problem(503, "parked");
        let marked = eventually("the auction to be marked", || async {
            let seen = self.seen(&self.app.client, self.poisoned).await.ok();
            let mark = seen.headers.get("tidemark-parked")?.to_owned();
            Some((mark, seen))
        })
        .await;
        assert_eq!(marked.0, token);
        assert_eq!(marked.1.body["bid_count"], 1, "{:?}", marked.1);
        let before = self.buyer.with_tidemark(&format!("1.{}", position - 1));
        self.seen(&before, self.poisoned).await.ok();

        let status = Process::operators_tool(&self.app.settings, &["status", "--json"]).await;
        assert_eq!(status.status.code(), Some(NEEDS_HELP), "{status:?}");
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let read_models = status["read_models"].as_array().unwrap();
        let auctions = read_models.iter().find(|it| it["name"] == "auction");
        assert_eq!(auctions.unwrap()["parked"], 1, "{status}");
        assert_eq!(auctions.unwrap()["blocked"], Value::Null, "{status}");
    }
}

#[tokio::test]
async fn a_row_that_postgres_refuses_waits_alone_and_is_made_once_it_can_be() {
    let case = Case::new().await;
    case.refuse_bids().await;
    let refused = case.buyer.bid(case.poisoned, 2_000).await.ok();
    case.buyer.bid(case.poisoned, 3_000).await.ok();
    case.assert_others_go_on().await;
    case.assert_is_parked_at(refused.position()).await;

    let repair = "alter table auction_rows drop constraint poison";
    case.execute(repair.to_owned()).await;
    case.repair("retry").await;
    eventually("the row to be made", || async {
        let seen = case.seen(&case.app.client, case.poisoned).await.ok();
        let is_made = seen.body["bid_count"] == 3 && !seen.headers.contains_key("tidemark-parked");
        is_made.then_some(())
    })
    .await;
    case.app.settle().await;
    assert_rows(&case.app).await;
    assert_documents(&case.app).await;
}

#[tokio::test]
async fn events_that_cannot_be_read_park_their_stream_alone() {
    let case = Case::new().await;
    let unreadable = Encoded {
        event_type: "auction.bid_placed".to_owned(),
        schema_version: 1,
        data: r#"{"auction_id": 5}"#.to_owned(),
    };
    let position = append_strange(&case.app.settings, case.poisoned, unreadable).await;
    let unknown = Encoded {
        event_type: "auction.exploded".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
    };
    append_strange(&case.app.settings, case.poisoned, unknown).await;
    case.assert_others_go_on().await;
    case.assert_is_parked_at(position).await;
}

/// An order to skip an event holds for the generation that serves, for those that are kept, and for those that are built later.
#[tokio::test]
async fn an_operator_lets_a_row_go_on_without_an_event_in_every_generation() {
    let case = Case::new().await;
    case.skip_unreadable_event().await;
    let id = case.poisoned.to_string();
    let shown = ["parked", "show", "auction", &id];
    let shown = Process::operators_tool(&case.app.settings, &shown).await;
    assert!(!shown.status.success(), "{shown:?}");

    let settings = case.app.settings.as_service("operator");
    let rebuild = ["rebuild", "auction", "--reason", "It was a test."];
    let serves = Process::operators_tool(&settings, &rebuild).await;
    assert!(serves.status.success(), "{serves:?}");
    case.skip_unreadable_event().await;
    let seen = case.seen(&case.app.client, case.poisoned).await.ok();
    assert_eq!(seen.body["bid_count"], 1, "{seen:?}");
}

#[tokio::test]
async fn an_event_that_a_reactor_cannot_answer_delays_no_other_and_is_listed() {
    let app = App::start_all().await;
    let market = app.market().await;
    let poisoned = market.auction(json!({})).await;
    let unreadable = Encoded {
        event_type: "auction.scheduled".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
    };
    let position = append_strange(&app.settings, poisoned, unreadable).await;
    let next = market.auction(json!({})).await;
    eventually("the timer to know of the next auction", || async {
        let known: bool = sqlx::query_scalar(
            "select exists (select from reactor_actions where target = 'open' and path like '%' || $1 || '%')",
        )
        .bind(next.to_string())
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
        known.then_some(())
    })
    .await;
    let listed = Process::operators_tool(&app.settings, &["actions", "list", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let kept = listed.iter().find(|it| it["position"] == position);
    let kept = kept.expect("the event is listed");
    assert_eq!(
        (&kept["reactor"], &kept["target"]),
        (&json!("auction-timer"), &json!("answer"))
    );
    assert_eq!(kept["path"], "");

    let settings = app.settings.as_service("operator");
    let position = position.to_string();
    let retry = [
        "actions",
        "retry",
        "auction-timer",
        &position,
        "answer",
        "--reason",
        "It was a test.",
    ];
    let tool = Process::operators_tool(&settings, &retry).await;
    assert!(tool.status.success(), "{tool:?}");
    eventually("the event to be tried again in vain", || async {
        let tried: bool = sqlx::query_scalar(
            "select done_at is not null and attempts = 2 from reactor_actions where target = 'answer'",
        )
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
        tried.then_some(())
    })
    .await;
    let drop = [
        "actions",
        "drop",
        "auction-timer",
        &position,
        "answer",
        "--reason",
        "It was a test.",
    ];
    let tool = Process::operators_tool(&settings, &drop).await;
    assert!(tool.status.success(), "{tool:?}");
    let listed = Process::operators_tool(&app.settings, &["actions", "list"]).await;
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
}

#[tokio::test]
async fn a_category_is_parked_under_its_id_and_under_its_slug() {
    let app = App::start_all().await;
    let id = app.category(None).await;
    app.settle().await;
    let unreadable = Encoded {
        event_type: "category.activated".to_owned(),
        schema_version: 1,
        data: r#"{"category_id": 5}"#.to_owned(),
    };
    let position = append_strange(&app.settings, id, unreadable).await;
    app.settle().await;
    let by_id = app.client.get(&format!("/v1/categories/{id}")).await.ok();
    let slug = by_id.body["slug"].as_str().unwrap();
    let has_seen = app.client.with_tidemark(&format!("1.{position}"));
    for name in [id.to_string(), slug.to_owned()] {
        let path = format!("/v1/categories/{name}");
        let old = app.client.get(&path).await.ok();
        assert_eq!(old.header("tidemark-parked"), format!("1.{position}"));
        has_seen.get(&path).await.problem(503, "parked");
    }
}
