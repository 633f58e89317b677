//! Who sends a command, and what a log-in was verified against, is part of what its decision rests on: whoever
//! has lost a session, a role or a password is refused from the next append on, through any process.

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tidemark_command_api::ProcessRoles;
use tidemark_platform::auth::Verifier;
use tidemark_tests::app::InProcess;
use tidemark_tests::market::STARTING_PRICE;
use tidemark_tests::proxy::{Direction, Fault};
use tidemark_tests::{Answer, App, Process, Proxy, eventually};

use super::sessions::{refresh, token};

async fn second_command_api(app: &App) -> InProcess {
    let roles = ProcessRoles {
        api: true,
        relay: false,
    };
    app.another_command_api(roles).await
}

#[tokio::test]
async fn a_user_who_logged_out_is_refused_through_any_process() {
    let app = App::start().await;
    let auction = app.market().await.auction(json!({})).await;
    let second = second_command_api(&app).await;
    let buyer = app.user().await;
    let elsewhere = buyer.via_command_api(&second.url);
    let path = format!("/v1/auctions/{auction}/bids");
    let bid = |amount: i64| json!({"amount": {"amount": amount, "currency": "EUR"}});
    // Both processes know the session now.
    buyer.bid(auction, STARTING_PRICE).await.ok();
    let answer = elsewhere.post(&path, &bid(STARTING_PRICE + 1_000)).await;
    answer.ok();

    let session = format!("/v1/sessions/{}", buyer.session_id);
    buyer.delete(&session).await.ok();
    let head = app.database.head().await;
    for client in [&elsewhere, &*buyer] {
        let answer = client.post(&path, &bid(STARTING_PRICE + 2_000)).await;
        answer.problem(401, "logged_out");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, "Bearer error=\"invalid_token\"");
    }
    buyer.delete(&session).await.problem(401, "logged_out");
    assert_eq!(app.database.head().await, head);
    // Another session of the same user goes on.
    let again = app.log_in_again(&buyer).await;
    again.bid(auction, STARTING_PRICE + 2_000).await.ok();
}

/// What was answered may hold a secret. Only the log-out itself can be sent again, by whoever has lost its answer.
#[tokio::test]
async fn a_user_who_logged_out_is_not_answered_again() {
    let app = App::start().await;
    let buyer = app.user().await;
    let auction = app.market().await.auction(json!({})).await;
    let keyed = buyer.with_key("a-bid-before-the-log-out");
    keyed.bid(auction, STARTING_PRICE).await.ok();
    let again = keyed.bid(auction, STARTING_PRICE).await.ok();
    assert_eq!(again.header("idempotency-replayed"), "true");
    let leaving = buyer.with_key("the-key-of-the-log-out");
    let session = format!("/v1/sessions/{}", buyer.session_id);
    leaving.delete(&session).await.ok();
    let again = leaving.delete(&session).await.ok();
    assert_eq!(again.header("idempotency-replayed"), "true");
    let again = keyed.bid(auction, STARTING_PRICE).await;
    again.problem(401, "logged_out");
    let upload = format!("/v1/uploads/{auction}");
    let shown = buyer.command(Method::GET, &upload);
    let shown = Answer::to(shown.header("tus-resumable", "1.0.0")).await;
    shown.problem(401, "logged_out");
}

/// Whoever logs in again may repeat a request that still waits in the old session.
#[tokio::test]
async fn a_key_brings_nobody_the_refusal_of_another_session() {
    let app = App::start().await;
    let buyer = app.user().await;
    let again = app.log_in_again(&buyer).await;
    let auction = app.market().await.auction(json!({})).await;
    let session = format!("/v1/sessions/{}", buyer.session_id);
    buyer.delete(&session).await.ok();
    for attempt in 1..=20 {
        let key = format!("the-key-of-attempt-{attempt}");
        let amount = STARTING_PRICE + 1_000 * attempt;
        let (old, new) = (buyer.with_key(&key), again.with_key(&key));
        let path = format!("/v1/auctions/{auction}/bids");
        let body = json!({"amount": {"amount": amount, "currency": "EUR"}});
        let (old, new) = tokio::join!(old.post(&path, &body), new.post(&path, &body));
        new.ok();
        assert!(
            old.status == 201 || old.body["code"] == "logged_out",
            "{old:?}"
        );
    }
}

#[tokio::test]
async fn a_user_whose_refresh_token_was_used_twice_is_refused_through_any_process() {
    let app = App::builder()
        .set("TIDEMARK_AUTH__REFRESH_TOKEN_GRACE_S", 0)
        .start()
        .await;
    let auction = app.market().await.auction(json!({})).await;
    let second = second_command_api(&app).await;
    let buyer = app.user().await;
    buyer.bid(auction, STARTING_PRICE).await.ok();
    refresh(&app.client, &buyer.refresh_token).await.ok();
    // An access token that was issued before stays good until the session ends.
    buyer.bid(auction, STARTING_PRICE + 1_000).await.ok();
    let elsewhere = app.client.via_command_api(&second.url);
    refresh(&elsewhere, &buyer.refresh_token)
        .await
        .problem(401, "invalid_grant");
    buyer
        .bid(auction, STARTING_PRICE + 2_000)
        .await
        .problem(401, "logged_out");
}

#[tokio::test]
async fn a_log_in_with_a_password_that_changes_meanwhile_is_refused() {
    let app = App::start().await;
    let user = app.user().await;
    let pool = &app.database.pool;
    let mut change = pool.begin().await.unwrap();
    sqlx::query("select from log_head for update")
        .execute(&mut *change)
        .await
        .unwrap();
    let login = json!({"email": user.email, "password": user.password});
    let client = app.client.clone();
    let attempt = tokio::spawn(async move { client.post("/v1/sessions", &login).await });
    eventually("a log-in whose password was verified", || async {
        waits_for_the_head(pool).await.then_some(())
    })
    .await;
    sqlx::raw_sql(
        "
        insert into events
               (position, event_id, stream_id, version, aggregate, type, schema_version, data,
                metadata, recorded_at)
        select h.position + 1, gen_random_uuid(), e.stream_id, 2, e.aggregate, e.type,
               e.schema_version,
               jsonb_set(e.data::jsonb, '{password_hash,ciphertext}', '\"AAAA\"')::json,
               e.metadata, h.recorded_at
          from events e, log_head h
         where e.type = 'credential.password_set';
        update log_head set position = position + 1;
        ",
    )
    .execute(&mut *change)
    .await
    .unwrap();
    change.commit().await.unwrap();
    let answer = attempt.await.unwrap();
    answer.problem(401, "invalid_credentials");
}

/// Whether somebody waits for the lock on the head of the log.
async fn waits_for_the_head(pool: &PgPool) -> bool {
    sqlx::query_scalar(
        "
        select exists (
            select from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'
        )
        ",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_fresh_token_names_the_roles_that_count() {
    let app = App::start().await;
    let user = app.user().await;
    assert_eq!(roles_in(&app, &user.access_token).await, ["buyer"]);
    app.grant(&user, "seller").await;
    let answer = refresh(&app.client, &user.refresh_token).await.ok();
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(roles_in(&app, token).await, ["buyer", "seller"]);
    let again = app.log_in_again(&user).await;
    assert_eq!(
        roles_in(&app, &again.access_token).await,
        ["buyer", "seller"]
    );
}

/// A grant that comes between the commit of a refresh and its answer is in no event that the answer tells of.
#[tokio::test]
async fn a_fresh_token_names_the_roles_of_its_decision() {
    let app = App::start().await;
    let user = app.user().await;
    let mut settings = app.settings.clone();
    let proxy = Proxy::before_postgres(&mut settings, "APPEND").await;
    let process = Process::command_api(&settings).await;
    let elsewhere = app.client.via_command_api(&process.url);
    // The process knows the session, its user and the statements then, so that it asks Postgres for the append alone.
    let mut current = user.refresh_token.clone();
    for _ in 0..3 {
        current = token(&refresh(&elsewhere, &current).await.ok());
    }
    let head = app.database.head().await;
    proxy.set(Direction::Down, Fault::Hold);
    let granted = async {
        eventually("the refresh to be committed", || async {
            (app.database.head().await > head).then_some(())
        })
        .await;
        app.grant(&user, "seller").await;
        proxy.heal();
    };
    let (during, ()) = tokio::join!(refresh(&elsewhere, &current), granted);
    let roles = async |answer: &Answer| {
        let access_token = answer.body["access_token"].as_str().unwrap();
        roles_in(&app, access_token).await
    };
    let during = during.ok();
    assert_eq!(roles(&during).await, ["buyer"]);
    let later = refresh(&elsewhere, &token(&during)).await.ok();
    assert_eq!(roles(&later).await, ["buyer", "seller"]);
}

/// The roles that an access token names.
async fn roles_in(app: &App, access_token: &str) -> Vec<String> {
    let verifier = Verifier::from_config(&app.settings.config().auth).unwrap();
    let now = app.database.now().await;
    verifier.verify(access_token, now).unwrap().roles
}
