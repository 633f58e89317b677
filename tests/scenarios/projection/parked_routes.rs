//! Whoever asks for a row that waits is told so, and whoever asks for a list in which it may be: in every read model that a
//! route shows.

use std::collections::BTreeSet;

use serde_json::json;
use tidemark_platform::ids::new_id;
use tidemark_read_models::{ReadModel, Shard, for_each_read_model};
use tidemark_tests::{Answer, App, Client, User};
use uuid::Uuid;

/// The first event that an answer is said to lack.
fn mark(answer: &Answer) -> Option<&str> {
    let mark = answer.headers.get("tidemark-parked");
    mark.map(|mark| mark.to_str().unwrap())
}

/// Where the rows of a read model are shown.
struct Shown {
    read_model: &'static str,
    /// The row that is parked.
    row: Uuid,
    /// Where that row is shown alone.
    alone: Vec<String>,
    /// The lists that show rows of the read model.
    lists: Vec<String>,
    client: Client,
}

/// Everything that is shown, most of it to one user.
struct Everything {
    app: App,
    user: User,
    operator: User,
    auditor: User,
    auction: Uuid,
    category: Uuid,
    task: Uuid,
}

impl Everything {
    async fn new() -> Self {
        let app = App::builder().projector().queries().start().await;
        let market = app.market().await;
        let category = app.category(None).await;
        let auction = market.auction(json!({})).await;
        let user = app.user().await;
        let task = json!({"name": "Fetch prices", "url": "https://receiver.example/prices"});
        let task = user.post("/v1/tasks", &task).await.ok().id();
        let (operator, auditor) = (app.user_with("operator").await, app.auditor().await);
        app.settle().await;
        Self {
            app,
            user,
            operator,
            auditor,
            auction,
            category,
            task,
        }
    }

    fn shown(&self) -> Vec<Shown> {
        let (user, operator, auditor) = (&*self.user, &*self.operator, &*self.auditor);
        let (id, other) = (self.user.id, new_id());
        let (auction, task) = (self.auction, self.task);
        let of = |client: &Client, read_model, row: Uuid, alone: &[&str], lists: &[&str]| Shown {
            read_model,
            row,
            alone: alone.iter().map(|it| format!("{it}{row}")).collect(),
            lists: lists.iter().map(|it| (*it).to_owned()).collect(),
            client: client.clone(),
        };
        let mine = |read_model, path: &str| Shown {
            alone: vec![path.to_owned()],
            ..of(user, read_model, id, &[], &[])
        };
        let auctions = ["/v1/auctions", "/v1/me/auctions", "/v1/me/auctions/won"];
        let bids = [&*format!("/v1/auctions/{auction}/bids"), "/v1/me/bids"];
        let runs = [&*format!("/v1/tasks/{task}/runs"), "/v1/task-runs"];
        let health = [&*format!("/v1/tasks/{task}/health")];
        vec![
            of(user, "auction", other, &["/v1/auctions/"], &auctions),
            of(user, "bid", other, &[], &bids),
            of(
                user,
                "category",
                self.category,
                &["/v1/categories/"],
                &["/v1/categories"],
            ),
            of(
                operator,
                "delivery",
                other,
                &[],
                &["/v1/operations/deliveries"],
            ),
            of(auditor, "history", other, &[], &["/v1/audit/events"]),
            mine("inbox", "/v1/me/inbox"),
            of(user, "media", other, &["/v1/media/"], &["/v1/media"]),
            of(user, "notification", other, &[], &["/v1/me/notifications"]),
            mine("preferences", "/v1/me/preferences"),
            of(
                user,
                "product",
                other,
                &["/v1/products/"],
                &["/v1/products"],
            ),
            mine("profile", "/v1/me"),
            of(
                operator,
                "suppression",
                other,
                &[],
                &["/v1/operations/suppressions"],
            ),
            of(user, "task", task, &["/v1/tasks/"], &["/v1/tasks"]),
            of(user, "task_health", other, &[], &health),
            of(user, "task_run", other, &["/v1/task-runs/"], &runs),
            of(
                operator,
                "template",
                other,
                &[],
                &["/v1/operations/templates"],
            ),
            of(user, "watch", other, &[], &["/v1/me/watches"]),
        ]
    }

    /// Parks a row, which lacks the last event that its shard has applied, and returns the token of that event. Its worker does
    /// not know of it, so it is not tried again.
    async fn park(&self, shown: &Shown) -> String {
        self.park_as(shown, shown.row, "row").await
    }

    /// The same for a stream of which nobody knows which rows it is about.
    async fn park_stream(&self, shown: &Shown) -> String {
        self.park_as(shown, Shard::ONLY.id_of_stream(new_id()), "stream")
            .await
    }

    async fn park_as(&self, shown: &Shown, id: Uuid, kind: &str) -> String {
        let sql = "insert into parked (read_model, generation, shard, id, kind, position, reason, tried_by)
                   select read_model, generation, shard, $2, $3, position, 'on purpose', ''
                     from checkpoints
                    where read_model = $1
                returning position";
        let parked = sqlx::query_scalar(sql)
            .bind(shown.read_model)
            .bind(id)
            .bind(kind);
        let position: i64 = parked.fetch_one(&self.app.database.pool).await.unwrap();
        format!("1.{position}")
    }

    async fn release(&self) {
        let released = sqlx::query("delete from parked").execute(&self.app.database.pool);
        released.await.unwrap();
    }
}

fn name<M: ReadModel>() -> &'static str {
    M::NAME
}

#[tokio::test]
async fn a_row_that_waits_is_refused_alone_and_marks_the_lists_of_every_read_model() {
    let everything = Everything::new().await;
    let shown = everything.shown();
    let names: BTreeSet<_> = shown.iter().map(|it| it.read_model).collect();
    assert_eq!(names, BTreeSet::from_iter(for_each_read_model!(name())));
    for shown in &shown {
        let token = everything.park(shown).await;
        let waits = shown.client.with_tidemark(&token);
        for path in &shown.alone {
            waits.get(path).await.problem(503, "parked");
            let early = shown.client.get(path).await;
            let is_marked = mark(&early) == Some(&*token);
            assert_eq!(is_marked, early.status == 200, "{path}: {early:?}");
        }
        for path in &shown.lists {
            for client in [&shown.client, &waits] {
                let list = client.get(path).await.ok();
                assert_eq!(mark(&list), Some(&*token), "{path}: {list:?}");
            }
        }
        everything.release().await;
        for path in shown.alone.iter().chain(&shown.lists) {
            let after = shown.client.get(path).await;
            assert_eq!(mark(&after), None, "{path}: {after:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_waits_marks_whatever_it_may_be_about_and_refuses_none_of_it() {
    let everything = Everything::new().await;
    let shown = everything.shown();
    let waiting = ["inbox", "preferences", "task_health", "watch"];
    for shown in shown.iter().filter(|it| waiting.contains(&it.read_model)) {
        let token = everything.park_stream(shown).await;
        let has_seen_all = shown.client.with_tidemark(&token);
        for path in shown.alone.iter().chain(&shown.lists) {
            for client in [&shown.client, &has_seen_all] {
                let answer = client.get(path).await.ok();
                assert_eq!(mark(&answer), Some(&*token), "{path}: {answer:?}");
            }
        }
        everything.release().await;
        for path in shown.alone.iter().chain(&shown.lists) {
            let after = shown.client.get(path).await.ok();
            assert_eq!(mark(&after), None, "{path}: {after:?}");
        }
    }
}
