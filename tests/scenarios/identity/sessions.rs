//! Logging in, refreshing and logging out: a session goes on only for whoever holds its newest refresh
//! token.

use serde_json::{Value, json};
use tidemark_tests::client::Client;
use tidemark_tests::{Answer, App};

pub(super) async fn refresh(client: &Client, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    client.post("/v1/sessions/refresh", &body).await
}

pub(super) fn token(answer: &Answer) -> String {
    answer.body["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn logging_in_answers_tokens() {
    let app = App::start().await;
    let person = app.person();
    let registered = app
        .client
        .post("/v1/users", &person.registration())
        .await
        .ok();
    let answer = app.client.post("/v1/sessions", &person.login()).await.ok();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["user_id"], registered.body["id"]);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.position(), app.database.head().await);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_email_address_are_answered_alike() {
    let app = App::start().await;
    let user = app.user().await;
    let head = app.database.head().await;
    let attempt = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let answer = app.client.post("/v1/sessions", &body).await;
        answer.problem(401, "invalid_credentials");
        let mut body = answer.body;
        // The instance names this one request, so it differs.
        body["instance"] = Value::Null;
        body
    };
    let wrong = attempt(&user.email, "not the password at all").await;
    let unknown = attempt("nobody@tidemark.example", &user.password).await;
    assert_eq!(wrong, unknown);
    assert_eq!(attempt("", "").await, wrong);
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn there_are_no_default_accounts() {
    let app = App::start().await;
    for (email, password) in [
        ("admin", "admin"),
        ("admin@tidemark.example", "password"),
        ("root", ""),
    ] {
        let body = json!({"email": email, "password": password});
        let answer = app.client.post("/v1/sessions", &body).await;
        answer.problem(401, "invalid_credentials");
    }
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn refresh_tokens_rotate() {
    let app = App::start().await;
    let user = app.user().await;
    let mut current = user.refresh_token.clone();
    for _ in 0..3 {
        let answer = refresh(&app.client, &current).await.ok();
        assert_eq!(answer.body["session_id"], json!(user.session_id));
        assert_ne!(token(&answer), current);
        current = token(&answer);
        let access = answer.body["access_token"].as_str().unwrap();
        let path = format!("/v1/sessions/{}", app.admin().await.session_id);
        let client = app.client.with_token(access);
        client.delete(&path).await.problem(404, "session_not_found");
    }
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_session() {
    let app = App::builder()
        .set("TIDEMARK_AUTH__REFRESH_TOKEN_GRACE_S", 0)
        .start()
        .await;
    let user = app.user().await;
    let other = app.log_in_again(&user).await;
    let second = token(&refresh(&app.client, &user.refresh_token).await.ok());
    let head = app.database.head().await;
    refresh(&app.client, &user.refresh_token)
        .await
        .problem(401, "invalid_grant");
    assert_eq!(
        app.database.head().await,
        head + 1,
        "the end of the session is an event"
    );
    // The token that was given in exchange is refused too: a thief may hold it.
    refresh(&app.client, &second)
        .await
        .problem(401, "invalid_grant");
    assert_eq!(app.database.head().await, head + 1);
    let reason: String = sqlx::query_scalar(
        "select data->>'reason' from events where type = 'session.ended' and stream_id = $1",
    )
    .bind(user.session_id)
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(reason, "token_reused");
    refresh(&app.client, &other.refresh_token).await.ok();
}

#[tokio::test]
async fn a_session_cannot_be_refreshed_after_log_out() {
    let app = App::start().await;
    let user = app.user().await;
    let path = format!("/v1/sessions/{}", user.session_id);
    user.delete(&path).await.ok();
    let other = app.log_in_again(&user).await;
    other.delete(&path).await.problem(409, "session_ended");
    refresh(&app.client, &user.refresh_token)
        .await
        .problem(401, "invalid_grant");
}

#[tokio::test]
async fn a_session_cannot_be_refreshed_after_its_idle_time() {
    let app = App::builder()
        .set("TIDEMARK_AUTH__REFRESH_TOKEN_IDLE_S", 0)
        .start()
        .await;
    let user = app.user().await;
    refresh(&app.client, &user.refresh_token)
        .await
        .problem(401, "invalid_grant");
}

#[tokio::test]
async fn forged_and_foreign_refresh_tokens_are_refused() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let head = app.database.head().await;
    let (_, secret) = user.refresh_token.split_once('.').unwrap();
    for wrong in [
        String::new(),
        ".".to_owned(),
        secret.to_owned(),
        format!("{}.", user.session_id.simple()),
        format!("{}.{secret}", other.session_id.simple()),
        format!("{}.{secret}", user.id.simple()),
        format!("{}x", user.refresh_token),
    ] {
        refresh(&app.client, &wrong)
            .await
            .problem(401, "invalid_grant");
    }
    let url = format!("/v1/sessions/refresh?refresh_token={}", user.refresh_token);
    app.client
        .post(&url, &json!({}))
        .await
        .problem(400, "secret_in_url");
    assert_eq!(app.database.head().await, head);
    refresh(&app.client, &user.refresh_token).await.ok();
}

#[tokio::test]
async fn a_session_of_another_user_is_not_found() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let path = format!("/v1/sessions/{}", user.session_id);
    other.delete(&path).await.problem(404, "session_not_found");
    app.admin()
        .await
        .delete(&path)
        .await
        .problem(404, "session_not_found");
    // The user may end it from another session of theirs.
    app.log_in_again(&user).await.delete(&path).await.ok();
}

/// To answer a key again, the tokens would have to be stored.
#[tokio::test]
async fn commands_that_answer_tokens_take_no_idempotency_key() {
    let app = App::start().await;
    let user = app.user().await;
    let login = json!({"email": user.email, "password": user.password});
    for key in ["0123456789abcdef", "x", ""] {
        let client = app.client.with_key(key);
        let answer = client.post("/v1/sessions", &login).await;
        answer.problem(400, "idempotency_key_not_taken");
        let answer = refresh(&client, &user.refresh_token).await;
        answer.problem(400, "idempotency_key_not_taken");
    }
}
