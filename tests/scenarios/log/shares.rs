//! What counts as the share of one client: whoever waits for work, by whatever credential or key.

use futures::future::join_all;
use tidemark_tests::{Answer, App};

use super::fairness::{are_waiting, command_api, draft, hold_appends, shows};

/// All of them wait for one command.
#[tokio::test]
async fn requests_with_one_key_take_as_much_of_a_share_as_others() {
    let app = App::start().await;
    let market = app.market().await;
    let process = command_api(&app, &[("EXECUTOR__QUEUE_PER_PRINCIPAL_MAX", 3)]).await;
    let client = market.seller.via_command_api(&process.url);
    let client = client.with_key("one-key-of-many-requests");
    let body = draft(&market, "");
    let held = hold_appends(&app).await;
    let waiting = join_all((0..3).map(|_| client.post("/v1/products", &body)));
    let refused = async {
        are_waiting(&process, 3).await;
        let refused = client.post("/v1/products", &body).await;
        refused.problem(429, "too_many_requests");
        assert!(
            refused
                .detail()
                .starts_with("At most 3 such requests of one user")
        );
        held.rollback().await.unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, refused);
    assert!(waited.iter().all(Answer::is_ok));
}

#[tokio::test]
async fn passwords_sent_by_many_users_from_one_address_are_one_share() {
    let app = App::start().await;
    let bounds = [
        ("AUTH__HASH_PER_ADDRESS_MAX", 1),
        ("AUTH__ARGON2_ITERATIONS", 500),
    ];
    let process = command_api(&app, &bounds).await;
    let users = [app.user().await, app.user().await, app.user().await];
    let attempts = users.iter().map(|user| {
        let (user, body) = (
            user.via_command_api(&process.url),
            app.person().registration(),
        );
        async move { user.post("/v1/users", &body).await }
    });
    let answers = join_all(attempts).await;
    assert!(answers.iter().any(|it| it.code() == "too_many_requests"));
}

/// A flood of them would otherwise hold the connections that others need.
#[tokio::test]
async fn a_log_in_over_the_share_of_its_address_asks_postgres_nothing() {
    let app = App::start().await;
    let person = app.person();
    app.client
        .post("/v1/users", &person.registration())
        .await
        .ok();
    let process = command_api(&app, &[("AUTH__HASH_PER_ADDRESS_MAX", 1)]).await;
    let client = app.client.via_command_api(&process.url);
    let mut held = app.database.pool.begin().await.unwrap();
    let lock = sqlx::query("lock table claims in access exclusive mode");
    lock.execute(&mut *held).await.unwrap();
    let body = person.login();
    let refused = async {
        shows(&process, "tidemark_passwords 1").await;
        let refused = client.post("/v1/sessions", &body).await;
        refused.problem(429, "too_many_requests");
        assert!(
            refused
                .detail()
                .starts_with("At most 1 such requests of one address")
        );
        held.rollback().await.unwrap();
    };
    let (first, ()) = tokio::join!(client.post("/v1/sessions", &body), refused);
    first.ok();
}
