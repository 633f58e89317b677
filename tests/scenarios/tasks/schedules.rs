//! When tasks run, and who may have them run.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::json;
use tidemark_tests::eventually;

use super::receiver::{
    Receiver, application, application_with, define, outcomes, over, ready, run,
};

const EACH_SECOND: &str = "* * * * * *";

#[tokio::test]
async fn a_task_runs_each_second_once_although_two_projectors_run() {
    let (app, server) = (application().await, Receiver::start().await);
    let _second = app.another_projector().await;
    let user = app.user().await;
    let schedule = json!({"cron": EACH_SECOND, "zone": "Europe/Berlin", "delay_max_s": 0});
    let task = define(&user, &server.url("well"), schedule).await;
    server.calls(5).await;
    let path = format!("/v1/tasks/{task}");
    user.post_empty(&format!("{path}/pause")).await.ok();
    app.settle().await;

    let sql = "select data ->> 'slot' from events where type = 'task.slot_taken' order by position";
    let slots: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    let distinct: BTreeSet<_> = slots.iter().collect();
    assert_eq!(distinct.len(), slots.len(), "{slots:?}");
    let ids: Vec<_> = server
        .received()
        .into_iter()
        .map(|it| it.headers["webhook-id"].clone())
        .collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");

    let runs = user
        .get(&format!("{path}/runs?status=succeeded&limit=2"))
        .await
        .ok()
        .body;
    let runs_of = |page: &serde_json::Value| page["items"].as_array().unwrap().len();
    assert_eq!(runs_of(&runs), 2, "{runs}");
    let next = format!(
        "{path}/runs?status=succeeded&limit=2&cursor={}",
        runs["next"].as_str().unwrap()
    );
    let earlier = user.get(&next).await.ok().body;
    assert_eq!(runs_of(&earlier), 2);

    let newest = &runs["items"][0];
    let until = newest["requested_at"].as_str().unwrap();
    let from = earlier["items"][1]["requested_at"].as_str().unwrap();
    let between = format!("{path}/runs?from={from}&until={until}&status=succeeded");
    let between = user.get(&between).await.ok().body;
    assert_eq!(runs_of(&between), 3, "{between}");
    assert_eq!(between["items"][0], runs["items"][1]);
    let reversed = user
        .get(&format!("{path}/runs?from={until}&until={from}"))
        .await;
    reversed.problem(422, "invalid");
    let health = user.get(&format!("{path}/health")).await.ok().body;
    let days = health["items"].as_array().unwrap();
    let sum = |field: &str| -> u64 {
        let counts = days.iter().map(|day| day.pointer(field).unwrap());
        counts.map(|it| it.as_u64().unwrap()).sum()
    };
    let skipped = sum("/skipped/missed") + sum("/skipped/overlap");
    let taken = u64::try_from(slots.len()).unwrap();
    assert_eq!(sum("/due"), taken + skipped, "{health}");
    let late = ["within_1_s", "within_10_s", "within_1_min", "later"];
    let late = late.map(|it| sum(&format!("/lateness/{it}")));
    assert_eq!(late.iter().sum::<u64>(), taken, "{health}");
    // The pause may have cancelled one.
    assert!(sum("/succeeded") >= 4, "{health}");
    let listed = user.get("/v1/tasks").await.ok().body;
    assert_eq!(listed["items"][0]["status"], "paused");
}

#[tokio::test]
async fn a_slot_that_comes_while_a_run_goes_on_is_skipped_and_says_so() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let schedule = json!({"cron": EACH_SECOND, "zone": "UTC"});
    let task = define(&user, &server.url("silent"), schedule).await;
    let path = format!("/v1/tasks/{task}");
    // On a busy machine others are missed.
    eventually("a slot that is skipped", || async {
        let answer = user.get(&path).await;
        (answer.body["last_skipped"]["reason"] == "overlap").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_made_again_is_broken_off_before_the_next_slot_which_runs() {
    let app = application_with(&[
        ("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "50000"),
        ("TIDEMARK_TASKS__RETRY_PAUSES_MS", "200"),
    ])
    .await;
    let (server, user) = (Receiver::start().await, app.user().await);
    let schedule = json!({"cron": "*/6 * * * * *", "zone": "UTC", "delay_max_s": 0});
    let task = define(&user, &server.url("silent-later"), schedule).await;
    let calls = server.calls(3).await;
    let first = calls[0].headers["webhook-id"].parse().unwrap();
    let run = over(&user, first).await;
    assert_eq!(outcomes(&run), ["refused 503", "timed_out null"]);
    let at =
        |value: &serde_json::Value| -> DateTime<Utc> { value.as_str().unwrap().parse().unwrap() };
    let next_slot = at(&run["slot"]) + TimeDelta::seconds(6);
    assert!(at(&run["ended_at"]) < next_slot, "{run}");
    let task = user.get(&format!("/v1/tasks/{task}")).await.ok().body;
    assert_eq!(task["last_skipped"], json!(null), "{task}");
}

#[tokio::test]
async fn a_slot_that_waits_for_a_run_is_taken_when_that_ends() {
    let long = [("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "50000")];
    let (app, server) = (application_with(&long).await, Receiver::start().await);
    let user = app.user().await;
    let schedule = json!({"cron": EACH_SECOND, "zone": "UTC", "delay_max_s": 0, "missed": "all"});
    let task = define(&user, &server.url("held-first"), schedule).await;
    server.calls(1).await;
    eventually("the next slot to be put off", || async {
        let sql = "select exists (
                    select
                      from reactor_actions
                     where reactor = 'task-clock'
                       and done_at is null
                       and outcome is not null
                       and next_attempt_at > clock_timestamp() + interval '30 seconds'
                   )";
        let found: bool = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        found.then_some(())
    })
    .await;
    server.release();
    // It is woken: otherwise it would be looked at again much later than anything is waited for here.
    server.calls(3).await;
    let path = format!("/v1/tasks/{task}");
    let paused = user.post_empty(&format!("{path}/pause")).await.ok();
    let task = user.with_tidemark(paused.tidemark()).get(&path).await;
    assert_eq!(task.ok().body["last_skipped"], json!(null));
}

#[tokio::test]
async fn the_newest_slot_that_comes_while_a_run_goes_on_waits_if_its_owner_wants_that() {
    let long = [("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "50000")];
    let (app, server) = (application_with(&long).await, Receiver::start().await);
    let user = app.user().await;
    // Others that come while this one waits are not called.
    let schedule = json!({"cron": EACH_SECOND, "zone": "UTC", "overlap": "buffer_one"});
    let task = define(&user, &server.url("held-first"), schedule).await;
    server.calls(1).await;
    let until = app.database.now().await + TimeDelta::seconds(4);
    eventually("slots to come", || async {
        (app.database.now().await > until).then_some(())
    })
    .await;
    assert_eq!(server.received().len(), 1);
    server.release();
    server.calls(2).await;
    let sql = "select (data ->> 'count')::integer
                 from events
                where stream_id = $1
                  and type = 'task.slots_skipped'
                  and data ->> 'reason' = 'overlap'
                order by position
                limit 1";
    let skipped: i32 = sqlx::query_scalar(sql)
        .bind(task)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert!(skipped >= 2, "{skipped}");
}

#[tokio::test]
async fn slots_that_nobody_took_end_in_a_fact_when_their_task_is_retired() {
    let app = tidemark_tests::App::start().await;
    let user = app.user().await;
    let schedule = json!({"cron": EACH_SECOND, "zone": "UTC"});
    let task = define(&user, "https://hooks.example/", schedule).await;
    let due = app.database.now().await + TimeDelta::seconds(2);
    eventually("slots to be due", || async {
        (app.database.now().await > due).then_some(())
    })
    .await;
    let path = format!("/v1/tasks/{task}/retire");
    user.post_empty(&path).await.ok();
    let sql = "select data ->> 'reason'
                 from events
                where stream_id = $1
                  and type = 'task.slots_skipped'
                  and (data ->> 'count')::integer >= 2";
    let reasons: Vec<String> = sqlx::query_scalar(sql)
        .bind(task)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(reasons, ["retired"]);
}

#[tokio::test]
async fn owners_pause_resume_and_retire_their_tasks() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let url = server.url("well");
    let task = define(&user, &url, json!({"cron": EACH_SECOND, "zone": "UTC"})).await;
    let path = format!("/v1/tasks/{task}");
    server.calls(1).await;
    user.post_empty(&format!("{path}/pause")).await.ok();
    app.settle().await;
    let before = server.received().len();
    user.post_empty(&format!("{path}/run"))
        .await
        .problem(409, "task_paused");
    user.post_empty(&format!("{path}/resume")).await.ok();
    server.calls(before + 2).await;

    let again = json!({"name": "Again", "url": url});
    let refused = user.post("/v1/tasks", &again).await;
    refused.problem(409, "task_exists");
    assert!(refused.detail().contains(&task.to_string()), "{refused:?}");
    let stranger = app.user().await;
    for command in ["run", "pause", "resume", "retire"] {
        let answer = stranger.post_empty(&format!("{path}/{command}")).await;
        answer.problem(404, "task_not_found");
    }
    stranger.get(&path).await.problem(404, "not_found");
    for of_task in ["runs", "health"] {
        let answer = stranger.get(&format!("{path}/{of_task}")).await;
        answer.problem(404, "not_found");
    }
    // The same URL is another's own matter.
    stranger.post("/v1/tasks", &again).await.ok();

    user.post_empty(&format!("{path}/retire")).await.ok();
    user.post_empty(&format!("{path}/resume"))
        .await
        .problem(409, "task_retired");
    user.post("/v1/tasks", &again).await.ok();
    app.settle().await;
    let retired = user.get(&path).await.ok().body;
    assert_eq!(
        (&retired["status"], &retired["next_slot"]),
        (&json!("retired"), &json!(null))
    );
}

#[tokio::test]
async fn schedules_that_name_no_time_and_tasks_over_the_bound_are_refused() {
    let app = tidemark_tests::App::builder()
        .set("TIDEMARK_TASKS__PER_USER_MAX", 2)
        .start()
        .await;
    let user = app.user().await;
    for (cron, zone, code, pointer) in [
        ("0 0 30 2 *", "UTC", "never_due", "/cron"),
        ("0 0 1 * MON", "UTC", "day_of_month_with_weekday", "/cron"),
        ("0 0 * * *", "Mars/Base", "unknown_time_zone", "/zone"),
        ("@daily", "UTC", "invalid_schedule", "/cron"),
    ] {
        let task =
            json!({"name": "No", "url": "https://hooks.example/", "cron": cron, "zone": zone});
        let answer = user.post("/v1/tasks", &task).await;
        answer.problem(422, code);
        assert_eq!(answer.pointers(), [pointer], "{cron}");
    }
    for path in ["a", "b"] {
        define(&user, &format!("https://hooks.example/{path}"), json!({})).await;
    }
    let third = json!({"name": "Third", "url": "https://hooks.example/c"});
    user.post("/v1/tasks", &third)
        .await
        .problem(409, "too_many_tasks");
}

#[tokio::test]
async fn the_same_definition_sent_again_is_answered_with_the_same_secret_and_slots() {
    let app = application().await;
    ready(&app).await;
    let user = app.user().await.with_key("the-key-of-a-task");
    let task = json!({
        "name": "Fetch prices",
        "url": "https://hooks.example/",
        "cron": "0 7 * * *",
        "zone": "Asia/Tokyo",
    });
    let first = user.post("/v1/tasks", &task).await.ok();
    let again = user.post("/v1/tasks", &task).await.ok();
    assert_eq!(first.body, again.body);
    assert!(first.body["secret"].as_str().unwrap().starts_with("whsec_"));
    let slots: Vec<DateTime<Utc>> =
        serde_json::from_value(first.body["next_slots"].clone()).unwrap();
    let [slot, ..] = slots[..] else {
        panic!("no slots");
    };
    let days: Vec<_> = (0..5).map(|day| slot + TimeDelta::days(day)).collect();
    assert_eq!((slots, slot.hour()), (days, 22));
}

#[tokio::test]
async fn a_run_while_one_goes_on_is_refused() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("slow"), json!({})).await;
    let path = format!("/v1/tasks/{task}/run");
    user.post_empty(&path).await.ok();
    user.post_empty(&path).await.problem(409, "task_running");
    server.calls(1).await;
    eventually("the end of the run", || async {
        let path = format!("/v1/tasks/{task}");
        (user.get(&path).await.body["last_result"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(run(&user, task).await["status"], "succeeded");
}
