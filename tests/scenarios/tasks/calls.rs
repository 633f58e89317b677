//! What a call says, and what becomes of its answer.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use standardwebhooks::Webhook;
use tidemark_tests::{App, KeptPort, eventually};

use super::receiver::{
    Receiver, application, application_with, define, outcomes, pause_of_a_busy_server, ready, run,
};

#[tokio::test]
async fn a_task_calls_its_url_and_the_run_can_be_read() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let body = json!({
        "headers": {"x-api-key": "k-4711", "content-type": "application/json"},
        "body": "{\"prices\":true}",
    });
    let task = define(&user, &server.url("well"), body).await;
    let run = run(&user, task).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(run["trigger"], "request");
    assert_eq!(outcomes(&run), ["delivered 200"]);
    let [call] = &server.calls(1).await[..] else {
        panic!("one call");
    };
    assert_eq!((&*call.method, &*call.path), ("POST", "well"));
    assert_eq!(call.body, "{\"prices\":true}");
    assert_eq!(call.headers["x-api-key"], "k-4711");
    assert_eq!(call.headers["webhook-id"], run["id"].as_str().unwrap());
    let signature = call.headers["webhook-signature"].strip_prefix("v1,");
    assert_eq!(STANDARD.decode(signature.unwrap()).unwrap().len(), 32);

    let sql = "select data::text from events
                union all
               select coalesce(body::text, '') from reactor_actions
                union all
               select doc::text from task_rows
                union all
               select doc::text from task_run_rows";
    let kept: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    for secret in ["k-4711", "prices\\\"", "/well", "all is well", "whsec_"] {
        let clear = kept.iter().find(|it| it.contains(secret));
        assert_eq!(clear, None, "{secret} is kept in clear");
    }
}

#[tokio::test]
async fn a_call_that_fails_is_made_again_with_the_same_id_and_signed_anew() {
    // Timestamps are of seconds.
    let pauses = [("TIDEMARK_TASKS__RETRY_PAUSES_MS", "1100,1100")];
    let (app, server) = (application_with(&pauses).await, Receiver::start().await);
    let user = app.user().await;
    let task = json!({"name": "Sync", "url": server.url("fails-twice"), "body": "{\"a\": 1}"});
    let defined = user.post("/v1/tasks", &task).await.ok();
    let run = run(&user, defined.id()).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(
        outcomes(&run),
        ["refused 502", "refused 502", "delivered 200"]
    );
    let calls = server.calls(3).await;
    let ids: Vec<_> = calls.iter().map(|it| &it.headers["webhook-id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let library = Webhook::new(defined.body["secret"].as_str().unwrap()).unwrap();
    let mut times = BTreeSet::new();
    for call in &calls {
        let headers: HashMap<_, _> = call.headers.clone().into_iter().collect();
        let headers = HeaderMap::try_from(&headers).unwrap();
        library.verify(call.body.as_bytes(), &headers).unwrap();
        let altered = call.body.replace('1', "2");
        library.verify(altered.as_bytes(), &headers).unwrap_err();
        times.insert(&call.headers["webhook-timestamp"]);
    }
    assert_eq!(times.len(), 3, "{times:?}");
}

#[tokio::test]
async fn a_server_says_when_it_is_called_again() {
    let pause = pause_of_a_busy_server(&application().await).await;
    assert!(pause >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_never_succeeds_fails_after_the_last_attempt() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("fails"), json!({})).await;
    let run = run(&user, task).await;
    assert_eq!(run["status"], "failed");
    assert_eq!(outcomes(&run), ["refused 503"; 4]);
    app.settle().await;
    let task = user.get(&format!("/v1/tasks/{task}")).await.ok().body;
    assert_eq!(task["last_result"], "failed");
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn redirects_are_not_followed_and_silence_and_answers_without_end_are_failures() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    for (how, outcome) in [
        ("redirects", "refused 302"),
        ("silent", "timed_out null"),
        ("drips", "timed_out null"),
    ] {
        let task = define(&user, &server.url(how), json!({})).await;
        let run = run(&user, task).await;
        assert_eq!(outcomes(&run), [outcome; 4], "{how}");
    }
    assert!(server.received().iter().all(|call| call.path != "well"));
}

#[tokio::test]
async fn a_long_answer_is_a_success_and_not_kept_and_so_is_an_empty_one() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("long"), json!({})).await;
    assert_eq!(outcomes(&run(&user, task).await), ["delivered 200"]);
    let empty = define(&user, &server.url("no-content"), json!({})).await;
    assert_eq!(outcomes(&run(&user, empty).await), ["delivered 204"]);
    let sql = "select max(length(data::text)) from events where type = 'task_run.attempted'";
    let longest: i32 = sqlx::query_scalar(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert!(longest < 3_000, "{longest}");
}

#[tokio::test]
async fn a_server_that_is_gone_pauses_its_task() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("gone"), json!({})).await;
    assert_eq!(outcomes(&run(&user, task).await), ["gone 410"]);
    let path = format!("/v1/tasks/{task}");
    let paused = eventually("the pause", || async {
        let task = user.get(&path).await.ok().body;
        (task["status"] == "paused").then_some(task)
    })
    .await;
    assert_eq!(paused["paused_for"], "gone");
    let again = user.post_empty(&format!("{path}/run")).await;
    again.problem(409, "task_paused");
}

#[tokio::test]
async fn a_task_of_somebody_who_was_erased_calls_nobody() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    let task = define(&user, &server.url("well"), json!({})).await;
    sqlx::query("select destroy_subject_keys(subject) from subject_keys")
        .execute(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(outcomes(&run(&user, task).await), ["owner_erased null"]);
    assert_eq!(server.received().len(), 0);
}

#[tokio::test]
async fn an_attempt_at_a_run_that_is_over_says_nothing_about_the_server() {
    let app = application_with(&[
        ("TIDEMARK_TASKS__RETRY_PAUSES_MS", "2000"),
        ("TIDEMARK_REACTOR__DESTINATION_FAILURES_MAX", "1"),
        ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MIN_MS", "3600000"),
        ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MAX_MS", "3600000"),
    ])
    .await;
    let (server, user) = (Receiver::start().await, app.user().await);
    let fails = define(&user, &server.url("fails"), json!({})).await;
    let path = format!("/v1/tasks/{fails}");
    user.post_empty(&format!("{path}/run")).await.ok();
    let actions = async |done: i64| {
        let sql = "select count(*) filter (where done_at is not null) = $1 and count(*) = 2
                     from reactor_actions
                    where effect = 'webhook'";
        eventually("both attempts", || async {
            let found = sqlx::query_scalar(sql).bind(done);
            let found: bool = found.fetch_one(&app.database.pool).await.unwrap();
            found.then_some(())
        })
        .await;
    };
    actions(1).await;
    user.post_empty(&format!("{path}/pause")).await.ok();
    actions(2).await;
    assert_eq!(server.received().len(), 1);
    let well = define(&user, &server.url("well"), json!({})).await;
    assert_eq!(run(&user, well).await["status"], "succeeded");
}

#[tokio::test]
async fn a_server_that_is_away_leaves_another_one_at_the_same_host_alone() {
    let app = application_with(&[
        ("TIDEMARK_REACTOR__DESTINATION_FAILURES_MAX", "1"),
        ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MIN_MS", "3600000"),
        ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MAX_MS", "3600000"),
    ])
    .await;
    let (server, user) = (Receiver::start().await, app.user().await);
    let nobody = KeptPort::any();
    let away = format!("http://{}/", nobody.address());
    let away = define(&user, &away, json!({})).await;
    user.post_empty(&format!("/v1/tasks/{away}/run")).await.ok();
    eventually("the attempt to be on record", || async {
        (app.database.count_of("task_run.attempted").await > 0).then_some(())
    })
    .await;
    let well = define(&user, &server.url("well"), json!({})).await;
    assert_eq!(run(&user, well).await["status"], "succeeded");
}

#[tokio::test]
async fn a_user_whom_a_server_does_not_answer_delays_no_other_there() {
    let app = application_with(&[
        ("TIDEMARK_REACTOR__DESTINATION_FAILURES_MAX", "1"),
        ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MIN_MS", "3600000"),
        ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MAX_MS", "3600000"),
    ])
    .await;
    let (server, other) = (Receiver::start().await, app.user().await);
    let well = define(&other, &server.url("well"), json!({})).await;
    for (attempts, how) in (1..).zip(["fails-twice", "overrun", "silent", "drips"]) {
        let user = app.user().await;
        let bad = define(&user, &server.url(how), json!({})).await;
        user.post_empty(&format!("/v1/tasks/{bad}/run")).await.ok();
        eventually("the attempt to be on record", || async {
            let on_record = app.database.count_of("task_run.attempted").await;
            // Each is followed by one of the other user.
            (on_record >= 2 * attempts - 1).then_some(())
        })
        .await;
        assert_eq!(run(&other, well).await["status"], "succeeded", "{how}");
    }
    let calls_of = |how| server.received().iter().filter(|it| it.path == how).count();
    assert_eq!(calls_of("overrun"), 1, "it is left alone by this user");
    assert_eq!(calls_of("silent"), 1);
}

#[tokio::test]
async fn urls_that_lead_to_the_same_place_have_one_task() {
    let app = application().await;
    let user = app.user().await;
    let first = define(&user, "https://hooks.example/a", json!({})).await;
    for same in [
        "https://hooks.example./a",
        "https://Hooks.Example:443/a",
        "https://hooks.example/a#fragment",
        "https://hooks.example/b/../a",
    ] {
        let again = json!({"name": "Again", "url": same});
        let refused = user.post("/v1/tasks", &again).await;
        refused.problem(409, "task_exists");
        assert!(refused.detail().contains(&first.to_string()), "{same}");
    }
    define(&user, "https://hooks.example/A", json!({})).await;
}

#[tokio::test]
async fn private_addresses_are_called_only_where_the_deployment_allows_it() {
    let (app, server) = (application().await, Receiver::start().await);
    let user = app.user().await;
    for url in [
        "https://127.0.0.2/".to_owned(),
        "https://2130706434/".to_owned(),
        "https://[::1]/".to_owned(),
        "https://169.254.169.254/".to_owned(),
        "https://localhost/".to_owned(),
        "https://hooks.example:5432/".to_owned(),
        "http://hooks.example/".to_owned(),
    ] {
        let task = json!({"name": "Inward", "url": url});
        let answer = user.post("/v1/tasks", &task).await;
        answer.problem(422, "destination_forbidden");
        assert_eq!(answer.pointers(), ["/url"], "{url}");
    }
    let allowed = define(&user, &server.url("well"), json!({})).await;
    assert_eq!(run(&user, allowed).await["status"], "succeeded");
}

#[tokio::test]
async fn no_task_leads_back_to_the_apis() {
    let own = [("TIDEMARK_TASKS__OWN_HOSTS", "api.example,127.0.0.1")];
    let app = application_with(&own).await;
    let user = app.user().await;
    for url in ["https://api.example/v1/tasks", app.command_url()] {
        let task = json!({"name": "Loop", "url": url});
        let answer = user.post("/v1/tasks", &task).await;
        answer.problem(422, "destination_forbidden");
        assert_eq!(answer.pointers(), ["/url"], "{url}");
    }
    define(&user, "https://hooks.example/", json!({})).await;
}

#[tokio::test]
async fn no_task_leads_back_to_the_hosts_at_which_the_deployment_is_reached() {
    let urls = [
        ("TIDEMARK_AUTH__ISSUER", "https://api.example"),
        ("TIDEMARK_MAIL__PUBLIC_URL", "https://mails.example/"),
        ("TIDEMARK_SMS__CALLBACK_URL", "https://texts.example"),
    ];
    let app = application_with(&urls).await;
    let user = app.user().await;
    for host in ["API.example.", "mails.example:8443", "texts.example"] {
        let task = json!({"name": "Loop", "url": format!("https://{host}/")});
        let answer = user.post("/v1/tasks", &task).await;
        answer.problem(422, "destination_forbidden");
    }
}

/// A task may have been defined before its server became one of the deployment's.
#[tokio::test]
async fn a_server_that_has_become_the_deployments_own_is_not_called() {
    let app = App::builder()
        .relay()
        .queries()
        .set("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
        .set("TIDEMARK_TASKS__RETRY_PAUSES_MS", "200")
        .start()
        .await;
    let _asks = app
        .spawn_projector_as("projections,reactors", &app.settings)
        .await;
    ready(&app).await;
    let (user, server) = (app.user().await, Receiver::start().await);
    let task = define(&user, &server.url("well"), json!({})).await;
    let mut settings = app.settings.clone();
    let issuer = server.url("");
    settings.set("TIDEMARK_AUTH__ISSUER", issuer.trim_end_matches('/'));
    let _performs = app.spawn_projector_as("effects", &settings).await;
    let over = run(&user, task).await;
    let called: BTreeSet<_> = outcomes(&over).into_iter().collect();
    assert_eq!(called, ["address_forbidden null".to_owned()].into());
    assert!(server.received().is_empty());
}
