//! How owners change what their tasks call and when, and get other secrets.

use std::collections::HashMap;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tidemark_tests::eventually;

use super::receiver::{Call, Receiver, application, application_with, define, outcomes, over, run};

/// Whether the official library takes a call for one that is signed with this secret.
fn is_signed(call: &Call, secret: &Value) -> bool {
    let headers: HashMap<_, _> = call.headers.clone().into_iter().collect();
    let headers = HeaderMap::try_from(&headers).unwrap();
    let library = Webhook::new(secret.as_str().unwrap()).unwrap();
    library.verify(call.body.as_bytes(), &headers).is_ok()
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_for_a_while() {
    let short = [("TIDEMARK_TASKS__OLD_SECRET_S", "3")];
    let (app, server) = (application_with(&short).await, Receiver::start().await);
    let user = app.user().await;
    let task = json!({"name": "Sync", "url": server.url("well"), "body": "{\"a\": 1}"});
    let defined = user.post("/v1/tasks", &task).await.ok();
    let path = format!("/v1/tasks/{}", defined.id());
    let keyed = user.with_key("the-key-of-a-rotation");
    let rotated = keyed.post_empty(&format!("{path}/secret")).await.ok();
    let again = keyed.post_empty(&format!("{path}/secret")).await.ok();
    assert_eq!(rotated.body, again.body, "it acts once");
    let (old, new) = (&defined.body["secret"], &rotated.body["secret"]);
    assert_ne!(old, new);

    run(&user, defined.id()).await;
    let both = server.calls(1).await.remove(0);
    assert_eq!(both.headers["webhook-signature"].split(' ').count(), 2);
    assert!(is_signed(&both, new) && is_signed(&both, old));
    let until = app.database.now().await + chrono::TimeDelta::seconds(3);
    eventually("the old secret to be over", || async {
        (app.database.now().await > until).then_some(())
    })
    .await;
    run(&user, defined.id()).await;
    let new_alone = server.calls(2).await.remove(1);
    assert!(is_signed(&new_alone, new) && !is_signed(&new_alone, old));

    app.settle().await;
    let shown = user.get(&path).await.ok().body;
    assert!(shown["secret_rotated_at"].is_string(), "{shown}");
    let kept: Vec<String> = sqlx::query_scalar("select data::text from events")
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    let new = new.as_str().unwrap();
    assert!(!kept.iter().any(|it| it.contains(new)), "kept in clear");
}

#[tokio::test]
async fn a_run_that_goes_on_is_called_as_its_task_is_at_the_time() {
    let pauses = [("TIDEMARK_TASKS__RETRY_PAUSES_MS", "1000,1000,1000")];
    let (app, server) = (application_with(&pauses).await, Receiver::start().await);
    let user = app.user().await;
    let task = json!({
        "name": "Sync",
        "url": server.url("fails"),
        "headers": {"x-api-key": "k-1"},
        "body": "before",
    });
    let task = user.post("/v1/tasks", &task).await.ok().id();
    let path = format!("/v1/tasks/{task}");
    let run = user.post_empty(&format!("{path}/run")).await.ok().id();
    server.calls(1).await;
    let secret = user.post_empty(&format!("{path}/secret")).await.ok();
    let changed = json!({"url": server.url("well"), "body": "after"});
    user.post(&format!("{path}/change"), &changed).await.ok();
    assert_eq!(over(&user, run).await["status"], "succeeded");
    let last = server.received().pop().unwrap();
    assert_eq!((&*last.path, &*last.body), ("well", "after"));
    assert_eq!(last.headers["x-api-key"], "k-1", "it was not changed");
    assert!(is_signed(&last, &secret.body["secret"]));
    let method = json!({"method": "GET", "headers": {}});
    user.post(&format!("{path}/change"), &method).await.ok();
    let fetched = super::receiver::run(&user, task).await;
    assert_eq!(outcomes(&fetched), ["delivered 200"]);
    let last = server.received().pop().unwrap();
    assert_eq!((&*last.method, &*last.body), ("GET", ""));
    assert!(!last.headers.contains_key("x-api-key"));
}

#[tokio::test]
async fn a_change_moves_the_claim_on_the_url() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let first = define(&user, &server.url("a"), json!({})).await;
    let second = define(&user, &server.url("b"), json!({})).await;
    let to = |how: &str| json!({"url": server.url(how)});
    let path = format!("/v1/tasks/{second}/change");
    let refused = user.post(&path, &to("a")).await;
    refused.problem(409, "task_exists");
    assert!(refused.detail().contains(&first.to_string()), "{refused:?}");
    user.post(&path, &to("c")).await.ok();
    user.post(&format!("/v1/tasks/{first}/change"), &to("b"))
        .await
        .ok();
    user.post(&path, &json!({})).await.problem(422, "invalid");
    let no_zone = user.post(&path, &json!({"cron": "* * * * *"})).await;
    no_zone.problem(422, "invalid");
    assert_eq!(no_zone.pointers(), ["/zone"]);
    let body = json!({"method": "GET", "body": "a"});
    assert_eq!(user.post(&path, &body).await.pointers(), ["/body"]);
}

#[tokio::test]
async fn another_schedule_counts_at_once_and_the_one_before_no_more() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let each_second = json!({"cron": "* * * * * *", "zone": "UTC", "delay_max_s": 0});
    let task = define(&user, &server.url("well"), each_second).await;
    let path = format!("/v1/tasks/{task}");
    server.calls(1).await;
    let yearly = json!({"name": "Yearly", "cron": "0 0 1 1 *"});
    let changed = user.post(&format!("{path}/change"), &yearly).await.ok();
    let slots: Vec<DateTime<Utc>> =
        serde_json::from_value(changed.body["next_slots"].clone()).unwrap();
    assert_eq!(slots.len(), 5);
    let at_change: i64 =
        sqlx::query_scalar("select position from events where type = 'task.changed'")
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
    let until = app.database.now().await + chrono::TimeDelta::seconds(3);
    eventually("slots of before to come", || async {
        (app.database.now().await > until).then_some(())
    })
    .await;
    app.settle().await;
    let taken: i64 = sqlx::query_scalar(
        "select count(*) from events where type = 'task.slot_taken' and position > $1",
    )
    .bind(at_change)
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(taken, 0);
    let shown = user.get(&path).await.ok().body;
    assert_eq!(shown["name"], "Yearly");
    assert_eq!(shown["schedule"]["cron"], "0 0 1 1 *");
    let next: DateTime<Utc> = shown["next_slot"].as_str().unwrap().parse().unwrap();
    assert_eq!(next, slots[0]);
    // The same schedule again, but for what is done with missed slots.
    let all = json!({"missed": "all"});
    user.post(&format!("{path}/change"), &all).await.ok();
    app.settle().await;
    let shown = user.get(&path).await.ok().body;
    assert_eq!(shown["schedule"]["missed"], "all");
    let same: DateTime<Utc> = shown["next_slot"].as_str().unwrap().parse().unwrap();
    assert_eq!(same, next);
}
