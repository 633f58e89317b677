//! What must never be in clear: personal data and secrets anywhere in the log, the hidden reserve in
//! anything public. Each search is tried on what it must find first.

use serde_json::json;
use tidemark_events::{Aggregate, Visibility};
use tidemark_tests::settings::from_environment;
use tidemark_tests::{App, User};

/// A number that nothing else in a test is.
const RESERVE: i64 = 74_839_261;

/// How many rows of what holds the log hold the text.
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
    app.client
        .post("/v1/sessions/refresh", &refresh)
        .await
        .problem(401, "invalid_grant");
    let auction = market.auction(json!({})).await;
    let buyer = user.with_key("a-key-0123456789");
    buyer.bid(auction, 1_000).await.ok();
    let anonymous = app.client.with_key("a-key-0123456789");
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
    ] {
        assert_eq!(rows_with(&app, secret).await, 0, "{secret}");
    }
    // The control: what is no secret is found.
    for known in ["chronometer", "a-key-0123456789", &user.id.to_string()] {
        assert!(rows_with(&app, known).await > 0, "{known}");
    }
    // Nor is it merely written differently.
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
async fn the_same_person_is_sealed_differently_each_time() {
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
async fn the_reserve_is_in_no_public_event() {
    let app = App::start().await;
    let market = app.market().await;
    let buyer = app.user().await;
    let met = market
        .auction(json!({"reserve_price": RESERVE, "buy_now_price": 90_000_000}))
        .await;
    market.auction(json!({"reserve_price": RESERVE})).await;
    let bought = market
        .auction(json!({"reserve_price": RESERVE, "buy_now_price": 80_000_000}))
        .await;
    buyer.bid(met, 50_000_000).await.ok();
    buyer.bid(met, 75_000_000).await.ok();
    buyer
        .post_empty(&format!("/v1/auctions/{bought}/buy-now"))
        .await
        .ok();

    let holding = |aggregates: Vec<String>| {
        let pool = app.database.pool.clone();
        async move {
            let query = "
                select count(*)
                  from events
                 where aggregate = any ($1)
                   and (data::text || metadata::text) like '%' || $2 || '%'
            ";
            let found: i64 = sqlx::query_scalar(query)
                .bind(aggregates)
                .bind(RESERVE.to_string())
                .fetch_one(&pool)
                .await
                .unwrap();
            found
        }
    };
    let of = |visibility: Visibility| {
        let all = Aggregate::ALL.iter();
        all.filter(|aggregate| aggregate.visibility() == visibility)
            .map(|aggregate| aggregate.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(holding(of(Visibility::Public)).await, 0);
    assert_eq!(holding(of(Visibility::Internal)).await, 3, "the control");
    let met: Vec<bool> = sqlx::query_scalar(
        "
        select (data->>'reserve_met')::boolean
          from events
         where type = 'auction.bid_placed'
         order by position
        ",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(met, [false, true]);
}

/// The refusal to a bid says nothing of it either.
#[tokio::test]
async fn the_reserve_is_in_no_answer() {
    let app = App::start().await;
    let market = app.market().await;
    let body = market
        .terms(market.listed().await, json!({"reserve_price": RESERVE}))
        .await;
    let announced = market.seller.post("/v1/auctions", &body).await.ok();
    let buyer = app.user().await;
    let auction = announced.id();
    let answers = [
        buyer.bid(auction, 1).await,
        buyer.bid(auction, 1_000).await,
        market.seller.bid(auction, 2_000).await,
        announced,
    ];
    for answer in answers {
        assert!(!answer.text.contains(&RESERVE.to_string()), "{answer:?}");
    }
}
