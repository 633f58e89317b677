//! How owners change what their tasks call and when, and get other secrets.

use std::collections::HashMap;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tidemark_tests::{App, eventually};

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
    let short = [("TIDEMARK_TASKS__OLD_SECRET_S", "6")];
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
    let until = app.database.now().await + chrono::TimeDelta::seconds(6);
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
async fn secrets_of_before_sign_for_as_long_as_was_promised_although_there_are_others_since() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let task = json!({"name": "Sync", "url": server.url("well")});
    let defined = user.post("/v1/tasks", &task).await.ok();
    let path = format!("/v1/tasks/{}/secret", defined.id());
    let mut secrets = vec![defined.body["secret"].clone()];
    for _ in 0..3 {
        let rotated = user.post_empty(&path).await.ok();
        secrets.push(rotated.body["secret"].clone());
    }
    run(&user, defined.id()).await;
    let call = server.calls(1).await.remove(0);
    for secret in &secrets {
        assert!(is_signed(&call, secret), "{secret} does not sign any more");
    }
    let refused = user.post_empty(&path).await;
    refused.problem(409, "too_many_task_secrets");
    let retry_at: DateTime<Utc> = refused.body["retry_at"].as_str().unwrap().parse().unwrap();
    assert!(retry_at > app.database.now().await);
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

/// The slots that the clock waits for, as its actions say.
async fn awaited_slots(app: &App) -> Vec<String> {
    let sql = "select body ->> 'slot'
                 from reactor_actions
                where reactor = 'task-clock'
                  and done_at is null
                order by position";
    let slots = sqlx::query_scalar(sql).fetch_all(&app.database.pool).await;
    slots.unwrap()
}

#[tokio::test]
async fn a_task_that_is_changed_and_paused_again_and_again_waits_for_one_slot() {
    let app = application().await;
    let user = app.user().await;
    let yearly = json!({"cron": "0 0 1 1 *", "zone": "UTC", "delay_max_s": 0});
    let task = define(&user, "https://hooks.example/", yearly.clone()).await;
    let path = format!("/v1/tasks/{task}");
    for day in 2..6 {
        let other = json!({"cron": format!("0 0 {day} 1 *")});
        user.post(&format!("{path}/change"), &other).await.ok();
        user.post_empty(&format!("{path}/pause")).await.ok();
        user.post_empty(&format!("{path}/resume")).await.ok();
    }
    let last = user.post(&format!("{path}/change"), &yearly).await.ok();
    app.settle().await;
    let [slot] = &awaited_slots(&app).await[..] else {
        panic!("one action: {:?}", awaited_slots(&app).await);
    };
    let slot: DateTime<Utc> = slot.parse().unwrap();
    let first: DateTime<Utc> = last.body["next_slots"][0]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(slot, first);

    // What changes nothing is not put on record.
    let again = user.post(&format!("{path}/change"), &yearly).await.ok();
    assert_eq!(again.body, last.body);
}

#[tokio::test]
async fn calls_of_runs_that_were_cancelled_do_not_pile_up() {
    // The calls after the first one are far away.
    let pauses = [("TIDEMARK_TASKS__RETRY_PAUSES_MS", "3600000")];
    let (app, server) = (application_with(&pauses).await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("fails"), json!({})).await;
    let path = format!("/v1/tasks/{task}");
    for runs in 1..=3 {
        user.post_empty(&format!("{path}/run")).await.ok();
        server.calls(runs).await;
        eventually("the attempt to be on record", || async {
            let sql = "select count(*) from events where type = 'task_run.attempted'";
            let attempts: i64 = sqlx::query_scalar(sql)
                .fetch_one(&app.database.pool)
                .await
                .unwrap();
            (usize::try_from(attempts).unwrap() == runs).then_some(())
        })
        .await;
        user.post_empty(&format!("{path}/pause")).await.ok();
        user.post_empty(&format!("{path}/resume")).await.ok();
    }
    app.settle().await;
    let sql = "select count(*) from reactor_actions where effect = 'webhook' and done_at is null";
    let waiting: i64 = sqlx::query_scalar(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(waiting, 1);
}

#[tokio::test]
async fn a_change_that_is_sent_again_is_answered_as_before_whatever_the_task_has_become() {
    let app = application().await;
    let user = app.user().await;
    let task = define(&user, "https://hooks.example/", json!({})).await;
    let path = format!("/v1/tasks/{task}/change");
    let keyed = user.with_key("the-key-of-a-change");
    let body = json!({"body": "prices"});
    let first = keyed.post(&path, &body).await.ok();
    // Calls of this method have no body.
    user.post(&path, &json!({"method": "GET"})).await.ok();
    let again = keyed.post(&path, &body).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    user.post(&path, &body).await.problem(422, "body_not_taken");
}

#[tokio::test]
async fn a_server_that_is_gone_pauses_no_task_that_calls_it_no_more() {
    let long = [
        ("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "50000"),
        ("TIDEMARK_TASKS__RETRY_PAUSES_MS", "200"),
    ];
    let (app, server) = (application_with(&long).await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("gone-held"), json!({})).await;
    let path = format!("/v1/tasks/{task}");
    let run = user.post_empty(&format!("{path}/run")).await.ok().id();
    server.calls(1).await;
    let other = json!({"url": server.url("well")});
    user.post(&format!("{path}/change"), &other).await.ok();
    server.release();
    let run = over(&user, run).await;
    assert_eq!(outcomes(&run), ["gone 410", "delivered 200"]);
    app.settle().await;
    assert_eq!(user.get(&path).await.ok().body["status"], "active");
}

#[tokio::test]
async fn a_call_is_bounded_by_the_server_that_the_task_calls_by_then() {
    let pauses = [("TIDEMARK_TASKS__RETRY_PAUSES_MS", "1000,1000")];
    let (app, server) = (application_with(&pauses).await, Receiver::start().await);
    let other = Receiver::start().await;
    let user = app.user().await;
    let task = define(&user, &server.url("fails"), json!({})).await;
    let path = format!("/v1/tasks/{task}");
    let run = user.post_empty(&format!("{path}/run")).await.ok().id();
    server.calls(1).await;
    let changed = json!({"url": other.url("well")});
    user.post(&format!("{path}/change"), &changed).await.ok();
    assert_eq!(over(&user, run).await["status"], "succeeded");
    app.settle().await;
    let sql = "select destination from reactor_actions where effect = 'webhook' order by position";
    let destinations: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    let servers = [&server, &other].map(|it| format!("127.0.0.1:{}", it.port));
    assert_eq!(destinations, servers);
}
