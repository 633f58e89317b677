//! Personal data and secrets are nowhere in clear in the log; a user reads their own.

use serde_json::json;
use tidemark_event_store::RecordId;
use tidemark_tests::{App, User, from_environment};

const KEY: &str = "a-key-0123456789";

/// Counts the rows of the log, claims, idempotency records and keys that contain the text.
async fn rows_with(app: &App, text: &str) -> i64 {
    sqlx::query_scalar(
        "
        select count(*)
          from (
                select data::text || metadata::text as row from events
                 union all
                select claims::text from claims
                 union all
                select idempotency_records::text from idempotency_records
                 union all
                select subject_keys::text from subject_keys
               ) as everything
         where position(lower($1) in lower(row)) > 0
        ",
    )
    .bind(text)
    .fetch_one(&app.database.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn personal_data_is_never_in_clear() {
    let app = App::start().await;
    let market = app.market().await;
    let user = app.user().await;
    let refresh = json!({"refresh_token": user.refresh_token});
    app.client.post("/v1/sessions/refresh", &refresh).await.ok();
    app.client.post("/v1/sessions/refresh", &refresh).await.ok();
    let auction = market.auction(json!({})).await;
    let buyer = user.with_key(KEY);
    buyer.bid(auction, 1_000).await.ok();
    let anonymous = app.client.with_key(KEY);
    let person = app.person();
    anonymous
        .post("/v1/users", &person.registration())
        .await
        .ok();

    let User {
        email,
        display_name,
        password,
        refresh_token,
        ..
    } = &user;
    let (_, token) = refresh_token.split_once('.').unwrap();
    let bootstrap = from_environment("TIDEMARK_BOOTSTRAP_SECRET");
    let key = from_environment("TIDEMARK_SEALING__LOOKUP_KEY");
    for secret in [
        email,
        display_name,
        "Ottilie",
        "tidemark.example",
        password,
        "lanterns",
        token,
        "$argon2",
        "argon2id",
        &*bootstrap,
        &*key,
        app.settings.service_secret("operator"),
        &*person.email,
        KEY,
    ] {
        assert_eq!(rows_with(&app, secret).await, 0, "{secret}");
    }
    // The positive control: the search finds what is not secret.
    let record = RecordId::of(&format!("user:{}", user.id), KEY).0;
    for known in ["chronometer", &record.to_string(), &user.id.to_string()] {
        assert!(rows_with(&app, known).await > 0, "{known}");
    }
    // The address is sealed, and not merely encoded in another way.
    let sealed: Vec<String> = sqlx::query_scalar(
        "
        select jsonb_object_keys(data::jsonb->'email')
          from events
         where type = 'user.registered'
         group by 1
         order by 1
        ",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(sealed, ["ciphertext", "key_version", "nonce", "subject"]);
}

#[tokio::test]
async fn equal_personal_data_is_sealed_differently_each_time() {
    let app = App::start().await;
    let (_, _) = (app.user().await, app.user().await);
    let distinct: i64 = sqlx::query_scalar(
        "
        select count(distinct data->'email'->>'nonce') + count(distinct data->'display_name'->>'nonce')
          from events
         where type = 'user.registered'
        ",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(distinct, 4);
}

#[tokio::test]
async fn a_profile_is_shown_in_clear_to_its_user_alone() {
    let app = App::start_all().await;
    let (user, seller) = (app.user().await, app.seller().await);
    app.settle().await;
    for (user, roles) in [(&user, vec!["buyer"]), (&seller, vec!["buyer", "seller"])] {
        let profile = user.get("/v1/me").await.ok();
        assert_eq!(profile.body["id"], json!(user.id));
        assert_eq!(profile.body["email"], user.email);
        assert_eq!(profile.body["display_name"], user.display_name);
        assert_eq!(profile.body["roles"], json!(roles));
        let stored: String = sqlx::query_scalar("select doc::text from profile_rows where id = $1")
            .bind(user.id)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        assert!(!stored.contains(&user.email) && !stored.contains(&user.display_name));
    }
    app.client
        .get("/v1/me")
        .await
        .problem(401, "unauthenticated");
}
