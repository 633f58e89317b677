//! A log that was set back goes on under a new timeline. What its clients and processes hold of the timeline before is
//! good up to the fork.

use serde_json::{Value, json};
use tidemark_command_api::ProcessRoles;
use tidemark_tests::market::eur;
use tidemark_tests::{Answer, App, Client, Process, User, eventually};
use uuid::Uuid;

use crate::market::live_updates::Watcher;

/// The exit code of `status` if the log was set back.
const SET_BACK: i32 = 2;

/// An auction with bids, of which the log loses the last.
struct Case {
    app: App,
    buyer: User,
    auction: Uuid,
    kept: Answer,
    lost: Answer,
}

/// Has the operators' tool declare a fork with these arguments.
pub(crate) async fn fork(app: &App, arguments: &[&str]) {
    let fork = ["timeline", "fork", "--reason", "as an exercise"];
    let arguments = [&fork, arguments].concat();
    let settings = app.settings.as_service("operator");
    let forked = Process::operators_tool(&settings, &arguments).await;
    assert!(forked.status.success(), "{forked:?}");
}

impl Case {
    async fn new() -> Self {
        let app = App::builder().projector().queries().start().await;
        let buyer = app.user().await;
        let auction = app.market().await.auction(json!({})).await;
        buyer.bid(auction, 1_000).await.ok();
        let kept = buyer.bid(auction, 1_100).await.ok();
        app.settle().await;
        app.database.back_up().await;
        buyer.bid(auction, 1_200).await.ok();
        let lost = buyer.bid(auction, 1_300).await.ok();
        app.settle().await;
        Self {
            app,
            buyer,
            auction,
            kept,
            lost,
        }
    }

    /// Sets the database back under the processes that run.
    async fn set_back(&self) {
        self.app.database.restore(".*", "").await;
    }

    /// Ends the connections of all processes to the database.
    async fn cut_connections(&self) {
        let cut = "select pg_terminate_backend(pid)
                     from pg_stat_activity
                    where datname = current_database()
                      and usename like 'tidemark%'";
        let pool = &self.app.database.pool;
        sqlx::query(cut).execute(pool).await.unwrap();
    }

    /// Declares a fork, and returns the number of the new timeline.
    async fn fork(&self, arguments: &[&str]) -> String {
        fork(&self.app, arguments).await;
        let (timeline, _) = self.timelines().await;
        timeline
    }

    /// The number of the present timeline, and what the tool lists of it.
    async fn timelines(&self) -> (String, Value) {
        let list = ["timeline", "list", "--json"];
        let list = Process::operators_tool(&self.app.settings, &list).await;
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        (list[0]["id"].to_string(), list[0].clone())
    }

    async fn bid(&self, client: &Client, amount: i64) -> Answer {
        let path = format!("/v1/auctions/{}/bids", self.auction);
        client.post(&path, &json!({ "amount": eur(amount) })).await
    }

    /// What is answered to queries of all kinds with this token.
    async fn queries(&self, tidemark: &str) -> Vec<Answer> {
        let auction = self.auction;
        let auditor = self.app.auditor().await.with_tidemark(tidemark);
        let client = self.buyer.with_tidemark(tidemark);
        let resuming = self.buyer.with("last-event-id", tidemark);
        let live = resuming.query(&format!("/v1/auctions/{auction}/live"));
        let live = live.send().await.unwrap();
        let live = if live.status() == 200 {
            // Its body does not end.
            client.get("/v1/me").await
        } else {
            Answer::of(live).await
        };
        vec![
            client.get(&format!("/v1/auctions/{auction}")).await,
            client.get("/v1/auctions?limit=1").await,
            auditor
                .get(&format!("/v1/audit/streams/{auction}/events"))
                .await,
            live,
        ]
    }

    async fn head(&self) -> i64 {
        self.app.database.head().await
    }
}

#[tokio::test]
async fn commands_are_refused_from_when_the_log_was_set_back_until_a_fork_is_declared() {
    let case = Case::new().await;
    let api = ProcessRoles {
        api: true,
        relay: false,
    };
    // It has appended nothing, so it has lost nothing.
    let other = case.app.another_command_api(api).await;
    let elsewhere = case.buyer.via_command_api(&other.url);
    let is_ready = async || {
        let ready = case.app.client.command(reqwest::Method::GET, "/readyz");
        Answer::to(ready).await.is_ok()
    };
    assert!(is_ready().await);
    case.set_back().await;
    let head = case.head().await;
    for client in [&*case.buyer, &elsewhere, &*case.buyer] {
        case.bid(client, 2_000).await.problem(503, "log_set_back");
    }
    assert!(!is_ready().await);
    assert_eq!(case.head().await, head, "nothing was appended");
    let status = Process::operators_tool(&case.app.settings, &["status"]).await;
    assert_eq!(status.status.code(), Some(SET_BACK), "{status:?}");

    let timeline = case.fork(&[]).await;
    let (_, listed) = case.timelines().await;
    let expected = json!({
        "id": listed["id"],
        "parent": 1,
        "forked_at": head,
        "position": head + 1,
        "declared_at": listed["declared_at"],
        "declared_by": "service:operator",
        "reason": "as an exercise",
        "set_back": false,
    });
    assert_eq!(listed, expected);
    eventually("the command API to be ready", || async {
        is_ready().await.then_some(())
    })
    .await;
    for (client, amount) in [(&*case.buyer, 2_000), (&elsewhere, 2_100)] {
        let bid = case.bid(client, amount).await.ok();
        assert!(
            bid.tidemark().starts_with(&format!("{timeline}.")),
            "{bid:?}"
        );
        let seen = case.queries(bid.tidemark()).await.swap_remove(0).ok();
        assert_eq!(seen.body["current_price"]["amount"], amount, "{seen:?}");
    }
    other.stop().await;
}

#[tokio::test]
async fn a_command_api_that_starts_on_a_log_that_was_set_back_waits_for_the_fork_too() {
    let mut case = Case::new().await;
    case.set_back().await;
    let refused = case.bid(&case.buyer, 2_000).await;
    refused.problem(503, "log_set_back");
    case.app.restart_command_api().await;
    let refused = case.bid(&case.buyer, 2_000).await;
    refused.problem(503, "log_set_back");
    case.fork(&[]).await;
    eventually("a bid to be accepted", || async {
        case.bid(&case.buyer, 2_000).await.is_ok().then_some(())
    })
    .await;
}

/// A replica that lacks the last events still knows each executor, and the failover interrupts its append.
#[tokio::test]
async fn a_command_api_whose_connections_were_lost_as_the_log_was_set_back_waits_for_the_fork_too()
{
    let case = Case::new().await;
    case.set_back().await;
    case.cut_connections().await;
    let head = case.head().await;
    let refused = case.bid(&case.buyer, 2_000).await;
    refused.problem(503, "log_set_back");
    assert_eq!(case.head().await, head, "nothing was appended");
    case.fork(&[]).await;
    eventually("a bid to be accepted", || async {
        case.bid(&case.buyer, 2_000).await.is_ok().then_some(())
    })
    .await;
}

/// Nothing tells a command API that sends nothing of a failover, and what it remembers may be lost.
#[tokio::test]
async fn a_repeated_request_is_not_answered_from_memory_when_the_log_was_set_back() {
    let case = Case::new().await;
    let repeating = case.buyer.with_key("a-key-of-a-bid-that-is-lost");
    let first = case.bid(&repeating, 1_400).await.ok();
    let again = case.bid(&repeating, 1_400).await.ok();
    assert_eq!(again.tidemark(), first.tidemark());
    case.set_back().await;
    eventually("a repeated request to be refused", || async {
        let again = case.bid(&repeating, 1_400).await;
        (again.code() == "log_set_back").then_some(())
    })
    .await;
}

#[tokio::test]
async fn tokens_are_good_up_to_the_fork_and_refused_beyond_it() {
    let case = Case::new().await;
    case.set_back().await;
    case.fork(&[]).await;
    for amount in [2_000, 2_100] {
        case.buyer.bid(case.auction, amount).await.ok();
    }
    for answer in case.queries(case.kept.tidemark()).await {
        answer.ok();
    }
    for answer in case.queries(case.lost.tidemark()).await {
        answer.problem(409, "other_timeline");
    }
}

#[tokio::test]
async fn a_page_goes_on_after_a_fork_unless_it_is_of_what_was_lost() {
    let case = Case::new().await;
    let path = format!("/v1/auctions/{}/bids?limit=1", case.auction);
    let page = async |client: &Client| client.get(&path).await.ok().body["next"].clone();
    let next = async |cursor: &Value, client: &Client| {
        let cursor = cursor.as_str().unwrap();
        client.get(&format!("{path}&cursor={cursor}")).await
    };
    let lost = page(&case.buyer).await;
    case.set_back().await;
    let reader = case.buyer.with_tidemark(case.kept.tidemark());
    let kept = page(&reader).await;
    case.fork(&[]).await;
    let bid = case.buyer.bid(case.auction, 2_000).await.ok();
    for tidemark in [case.kept.tidemark(), bid.tidemark()] {
        let client = case.buyer.with_tidemark(tidemark);
        let second = next(&kept, &client).await.ok();
        assert_eq!(second.body["items"][0]["amount"]["amount"], 1_000);
        let refused = next(&lost, &client).await;
        refused.problem(409, "other_timeline");
    }
    next(&kept, &case.buyer).await.ok();
    let refused = next(&lost, &case.buyer).await;
    refused.problem(409, "other_timeline");
}

/// Nothing tells a token of the lost future from one of the present if the positions were used again.
#[tokio::test]
async fn what_was_written_before_the_fork_was_declared_can_be_left_to_the_new_timeline() {
    let mut case = Case::new().await;
    // No process runs that could notice.
    case.app.stop_command_api().await;
    case.set_back().await;
    let restored = case.head().await;
    case.app.start_command_api().await;
    for amount in [2_000, 2_100, 2_200] {
        case.buyer.bid(case.auction, amount).await.ok();
    }
    assert!(case.head().await > case.lost.position());
    case.fork(&["--shared-up-to", &restored.to_string()]).await;
    for answer in case.queries(case.kept.tidemark()).await {
        answer.ok();
    }
    for answer in case.queries(case.lost.tidemark()).await {
        answer.problem(409, "other_timeline");
    }
}

#[tokio::test]
async fn a_client_that_follows_an_auction_is_sent_what_the_fork_left_of_it() {
    let case = Case::new().await;
    let mut watcher = Watcher::open(&case.buyer, case.auction).await;
    let first = watcher.next().await;
    assert_eq!(first.document["current_price"]["amount"], 1_300);
    case.set_back().await;
    case.fork(&[]).await;
    let next = watcher.next().await;
    assert_eq!(next.document["current_price"]["amount"], 1_100);
}
