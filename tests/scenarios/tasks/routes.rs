//! The routes of tasks, with a request that each accepts.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tidemark_tests::{App, Client, eventually};
use uuid::Uuid;

use super::receiver::define;
use crate::http::routes::{Audience, Route};

/// The reactor that has slots taken.
const CLOCK: &str = "task-clock";
/// The reactor that has owners told.
const NOTIFIER: &str = "task-notifier";
/// The reactor that calls.
const CALLER: &str = "task-caller";

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let user = app.user().await;
    let owner: &Client = &user;
    let mut routes = vec![definition(owner)];
    let task = |path: &'static str| {
        let url = format!("https://hooks.example/{path}");
        async move { define(owner, &url, json!({})).await }
    };
    let route = |template, id: Uuid| Route::post(template, Audience::Owner, owner).about(id);
    routes.push(route("/v1/tasks/{id}/run", task("run").await));
    routes.push(route("/v1/tasks/{id}/pause", task("pause").await));
    let paused = async |path| {
        let task = task(path).await;
        let pause = format!("/v1/tasks/{task}/pause");
        owner.post_empty(&pause).await.ok();
        task
    };
    routes.push(route("/v1/tasks/{id}/resume", paused("resume").await));
    routes.push(notice(app, paused("notice").await, user.id));
    routes.push(route("/v1/tasks/{id}/retire", task("retire").await));
    routes.push(change(task("change").await, owner));
    routes.push(route("/v1/tasks/{id}/secret", task("secret").await));
    routes.push(slot(app, owner).await);
    let running = task("attempt").await;
    let path = format!("/v1/tasks/{running}/run");
    let run = owner.post_empty(&path).await.ok().id();
    routes.push(attempt(app, run));
    routes
}

fn no_urls() -> [Value; 19] {
    let no_urls = [
        "",
        "hooks.example",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "ftp://hooks.example/",
        "data:text/plain,a",
        "http://hooks.example/",
        "https://ada:secret@hooks.example/",
        "https://hooks.example:22/",
        "https://hooks.example:6379/",
        "https://hooks.example:5432/",
        "https://hooks.example:9092/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://2130706433/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost./",
        "https://169.254.169.254/latest/meta-data/",
    ];
    no_urls.map(Value::from)
}

fn no_headers() -> [Value; 7] {
    let many: serde_json::Map<_, _> = (0..21).map(|n| (format!("x-{n}"), json!("a"))).collect();
    [
        json!({"webhook-id": "a"}),
        json!({"Host": "a"}),
        json!({"a b": "c"}),
        json!({"x-a": "b", "X-A": "c"}),
        json!({"x-a": "b\r\nc: d"}),
        json!({"x-a": "b".repeat(1_001)}),
        Value::Object(many),
    ]
}

/// That a task was paused.
fn notice(app: &App, task: Uuid, user_id: Uuid) -> Route {
    let template = "/v1/tasks/{id}/pause-notices";
    Route::post(
        template,
        Audience::Service(NOTIFIER),
        &app.reactor(NOTIFIER),
    )
    .about(task)
    .with(json!({"user_id": user_id, "reason": "gone"}))
    .out_of_range("/reason", ["", "lost"].map(Value::from))
}

/// A change of a task that has no schedule, by an owner who has others.
fn change(task: Uuid, owner: &Client) -> Route {
    Route::post("/v1/tasks/{id}/change", Audience::Owner, owner)
        .about(task)
        .with(json!({
            "name": "Fetch all prices",
            "url": "https://hooks.example/all-prices",
            "method": "PUT",
            "headers": {"x-api-key": "k-4712"},
            "body": "all prices",
            "cron": "0 8 * * *",
            "zone": "Asia/Tokyo",
            "missed": "all",
            "overlap": "buffer_one",
            "window_s": 600,
            "delay_max_s": 0,
        }))
        .optional(&[
            "/name",
            "/url",
            "/method",
            "/headers",
            "/headers/x-api-key",
            "/body",
            "/missed",
            "/overlap",
            "/window_s",
            "/delay_max_s",
        ])
        .maps(&["/headers"])
        .line("/name", 100)
        .out_of_range("/url", no_urls())
        .out_of_range("/method", ["", "post", "TRACE"].map(Value::from))
        .out_of_range("/headers", no_headers())
        .out_of_range("/body", [json!("a".repeat(16_385))])
        .out_of_range("/cron", ["", "@daily", "0 0 30 2 *"].map(Value::from))
        .out_of_range("/zone", ["", "Mars/Base"].map(Value::from))
        .out_of_range("/missed", ["", "some"].map(Value::from))
        .out_of_range("/overlap", ["", "always"].map(Value::from))
        .out_of_range("/window_s", [json!(9), json!(31_536_001)])
        .out_of_range("/delay_max_s", [json!(901), json!(-1)])
}

fn definition(owner: &Client) -> Route {
    Route::post("/v1/tasks", Audience::User, owner)
        .with(json!({
            "name": "Fetch prices",
            "url": "https://hooks.example/prices",
            "method": "PUT",
            "headers": {"x-api-key": "k-4711"},
            "body": "prices",
            "cron": "0 7 * * *",
            "zone": "Europe/Berlin",
            "missed": "latest",
            "overlap": "skip",
            "window_s": 600,
            "delay_max_s": 0,
        }))
        .optional(&[
            "/method",
            "/headers",
            "/headers/x-api-key",
            "/body",
            "/missed",
            "/overlap",
            "/window_s",
            "/delay_max_s",
        ])
        .maps(&["/headers"])
        .line("/name", 100)
        .out_of_range("/url", no_urls())
        .out_of_range("/method", ["", "post", "TRACE", "CONNECT"].map(Value::from))
        .out_of_range("/headers", no_headers())
        .out_of_range("/body", [json!("a".repeat(16_385))])
        .out_of_range(
            "/cron",
            [
                "",
                "@daily",
                "* * * *",
                "60 0 * * *",
                "0 0 30 2 *",
                "0 0 1 * 1",
            ]
            .map(Value::from),
        )
        .out_of_range(
            "/zone",
            ["", "Mars/Base", "CEST", "../UTC"].map(Value::from),
        )
        .out_of_range("/missed", ["", "some"].map(Value::from))
        .out_of_range("/overlap", ["", "always"].map(Value::from))
        .out_of_range("/window_s", [json!(9), json!(31_536_001), json!(-1)])
        .out_of_range("/delay_max_s", [json!(901), json!(-1)])
}

/// A slot that is due soon.
async fn slot(app: &App, owner: &Client) -> Route {
    let schedule = json!({"cron": "* * * * * *", "zone": "UTC"});
    let task = define(owner, "https://hooks.example/slot", schedule).await;
    let sql = "select data #>> '{next,slot}' from events where stream_id = $1";
    let slot: String = sqlx::query_scalar(sql)
        .bind(task)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    let due_at = slot.parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(1);
    eventually("the slot to be due", || async {
        (app.database.now().await > due_at).then_some(())
    })
    .await;
    Route::post(
        "/v1/tasks/{id}/take-slot",
        Audience::Service(CLOCK),
        &app.reactor(CLOCK),
    )
    .about(task)
    .with(json!({"slot": slot}))
    .out_of_range(
        "/slot",
        ["", "tomorrow", "2027-02-30T00:00:00Z"].map(Value::from),
    )
}

fn attempt(app: &App, run: Uuid) -> Route {
    let answer = json!({
        "subject": Uuid::from_u128(1),
        "key_version": 1,
        "nonce": "bm9uY2Vub25jZW5vbmNlbm9uY2Vub25j",
        "ciphertext": "Y2lwaGVydGV4dC1hbmQtaXRzLXRhZw",
    });
    let no_bytes = || ["", "a", "not base64url!", &"A".repeat(4_000)].map(Value::from);
    let caller = app.reactor(CALLER);
    Route::post(
        "/v1/task-runs/{id}/attempts",
        Audience::Service(CALLER),
        &caller,
    )
    .about(run)
    .with(json!({
        "attempt": 1,
        "changes": 0,
        "outcome": "delivered",
        "status": 200,
        "ms": 12,
        "answer": answer,
        "retry_after_s": 30,
    }))
    .optional(&["/changes", "/status", "/answer", "/retry_after_s"])
    .out_of_range("/attempt", [json!(0), json!(-1), json!(101)])
    .out_of_range("/changes", [json!(-1), json!(4_294_967_296_i64)])
    .out_of_range("/outcome", ["", "lost"].map(Value::from))
    .out_of_range("/status", [json!(99), json!(1_000)])
    .out_of_range("/ms", [json!(-1), json!(86_400_001)])
    .out_of_range("/answer/key_version", [json!(0), json!(-1)])
    .out_of_range("/answer/nonce", no_bytes())
    .out_of_range("/answer/ciphertext", no_bytes())
    .out_of_range("/retry_after_s", [json!(-1), json!(4_294_967_296_i64)])
}
