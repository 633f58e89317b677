//! A refresh token that is sent twice without malice ends no session: two tabs at once, or one whose answer was
//! lost.

use std::cell::Cell;

use futures::future::join_all;
use serde_json::json;
use tidemark_command_api::ProcessRoles;
use tidemark_tests::App;
use tidemark_tests::market::STARTING_PRICE;

use super::sessions::{refresh, token};
use crate::log::contention::make_commits_slow;

const API: ProcessRoles = ProcessRoles {
    api: true,
    relay: false,
};

#[tokio::test]
async fn two_tabs_that_refresh_at_once_get_the_same_token_and_stay_logged_in() {
    let app = App::start().await;
    let second = app.another_command_api(API).await;
    let clients = [app.client.clone(), app.client.via_command_api(&second.url)];
    let user = app.user().await;
    let mut current = user.refresh_token.clone();
    for _ in 0..5 {
        let tabs = clients.iter().cycle().take(6);
        let answers = join_all(tabs.map(|client| refresh(client, &current))).await;
        let next: Vec<_> = answers.into_iter().map(|it| token(&it.ok())).collect();
        assert!(next.iter().all(|it| *it == next[0]), "{next:?}");
        assert_ne!(next[0], current);
        current.clone_from(&next[0]);
    }
}

/// As clients do that send their access token with every request.
#[tokio::test]
async fn an_access_token_that_has_expired_keeps_nobody_from_a_fresh_one() {
    let app = App::start().await;
    let client = app.client.with_token("expired");
    let answer = client.post("/v1/products", &json!({})).await;
    answer.problem(401, "invalid_token");
    let person = app.person();
    let registered = client.post("/v1/users", &person.registration()).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let session = client.post("/v1/sessions", &person.login()).await;
    assert_eq!(session.status, 201, "{session:?}");
    refresh(&client, &token(&session)).await.ok();
}

/// Both rest on the session, so each refresh makes the other process decide a bid again.
#[tokio::test]
async fn a_session_that_is_refreshed_at_one_process_bids_at_another() {
    let app = App::builder()
        .set("TIDEMARK_EXECUTOR__COMMAND_DEADLINE_MS", 2_000)
        .start()
        .await;
    let auction = app
        .market()
        .await
        .auction(json!({"minimum_increment": 1}))
        .await;
    let second = app.another_command_api(API).await;
    let user = app.user().await;
    let bidder = user.via_command_api(&second.url);
    make_commits_slow(&app.database.pool, 20).await;
    let over = Cell::new(false);
    let bids = async {
        let mut amounts = STARTING_PRICE..;
        while !over.get() {
            bidder.bid(auction, amounts.next().unwrap()).await.ok();
        }
        amounts.start - STARTING_PRICE
    };
    let refreshes = async {
        let mut current = user.refresh_token.clone();
        for _ in 0..30 {
            current = token(&refresh(&app.client, &current).await.ok());
        }
        over.set(true);
    };
    let (accepted, ()) = tokio::join!(bids, refreshes);
    assert!(accepted >= 10, "{accepted} bids beside 30 refreshes");
}

#[tokio::test]
async fn a_token_whose_answer_was_lost_is_answered_again_until_the_next_one_is_used() {
    let app = App::start().await;
    let user = app.user().await;
    let lost = token(&refresh(&app.client, &user.refresh_token).await.ok());
    let again = refresh(&app.client, &user.refresh_token).await.ok();
    assert_eq!(token(&again), lost);
    // That is on record once: whoever sends a token often fills no log with it.
    let head = app.database.head().await;
    for _ in 0..3 {
        let again = refresh(&app.client, &user.refresh_token).await.ok();
        assert_eq!(token(&again), lost);
        assert_eq!(again.body["user_id"], json!(user.id));
    }
    assert_eq!(app.database.head().await, head);
    let access = again.body["access_token"].as_str().unwrap();
    let own = format!("/v1/sessions/{}", user.session_id);
    let next = token(&refresh(&app.client, &lost).await.ok());

    // Its owner has moved on, so whoever sends it now is somebody else.
    refresh(&app.client, &user.refresh_token)
        .await
        .problem(401, "invalid_grant");
    refresh(&app.client, &next)
        .await
        .problem(401, "invalid_grant");
    let owner = app.client.with_token(access);
    owner.delete(&own).await.problem(401, "logged_out");
}

/// The tokens are in no read after the commit: what was decided is enough to answer.
#[tokio::test]
async fn a_database_that_fails_after_the_commit_costs_no_session() {
    let app = App::start().await;
    let user = app.user().await;
    let current = token(&refresh(&app.client, &user.refresh_token).await.ok());
    sqlx::query("revoke select on events, snapshots from tidemark_append")
        .execute(&app.database.pool)
        .await
        .unwrap();
    let head = app.database.head().await;
    let answer = refresh(&app.client, &current).await.ok();
    assert_eq!(answer.position(), head + 1);
    let again = refresh(&app.client, &current).await.ok();
    assert_eq!(token(&again), token(&answer));
}
