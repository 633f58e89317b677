//! A user is sent only so many mails of one category in an hour. Others wait, and nobody else waits for them.

use serde_json::{Value, json};
use tidemark_tests::{App, MailServer, User};
use uuid::Uuid;

use super::mail::{mailing_to, ready};

/// Tells a user of something of a category, of which they are sent a mail.
async fn tell(app: &App, user_id: Uuid, category: &str) {
    let market = app.market().await;
    let mut body = tidemark_tests::market::won(user_id, market.draft().await);
    body["category"] = json!(category);
    let notifier = app.reactor("auction-notifier");
    notifier.post("/v1/notifications", &body).await.ok();
}

/// Waits until the mails of a category to a user have these statuses, the oldest first: nobody else waits for what is sent.
async fn wait_for_statuses(app: &App, operator: &User, of: (Uuid, &str), expected: &[&str]) {
    let (user_id, category) = of;
    tidemark_tests::eventually("the mails to be sent or put off", || async {
        let statuses = statuses(app, operator, user_id, category).await;
        (statuses == expected).then_some(())
    })
    .await;
}

/// The statuses of the mails of a category to a user, the oldest first.
async fn statuses(app: &App, operator: &User, user_id: Uuid, category: &str) -> Vec<String> {
    app.settle().await;
    let path = format!("/v1/operations/deliveries?user_id={user_id}");
    let found = operator.get(&path).await.ok().body;
    let items = found["items"].as_array().unwrap().iter().rev();
    let of_category = items.filter(|it| it["category"] == category);
    let status = |it: &Value| it["status"].as_str().unwrap().to_owned();
    of_category.map(status).collect()
}

#[tokio::test]
async fn mails_beyond_the_limit_wait_and_those_of_others_do_not() {
    let server = MailServer::start().await;
    let app = mailing_to(&server).set("TIDEMARK_MAIL__PER_HOUR_MAX", 2);
    let app = ready(app.start().await).await;
    let (user, other) = (app.user().await, app.user().await);
    let operator = app.user_with("operator").await;
    for _ in 0..3 {
        tell(&app, user.id, "unsold").await;
    }
    tell(&app, user.id, "won").await;
    tell(&app, other.id, "unsold").await;
    app.settle().await;
    let [accepted, deferred] = ["accepted", "deferred"];
    for (of, expected) in [
        ((user.id, "unsold"), &[accepted, accepted, deferred][..]),
        ((user.id, "won"), &[accepted]),
        ((other.id, "unsold"), &[accepted]),
    ] {
        wait_for_statuses(&app, &operator, of, expected).await;
    }

    // An hour after the first one it is sent. The test does not wait for that.
    let path = format!("/v1/operations/deliveries?user_id={}&limit=2", user.id);
    let found = operator.get(&path).await.ok().body;
    let waiting = &found["items"][1];
    assert_eq!(waiting["status"], deferred);
    let time = |name: &str| waiting[name].as_str().unwrap().parse().unwrap();
    let wait: chrono::DateTime<chrono::Utc> = time("not_before");
    let wait = (wait - time("requested_at")).num_minutes();
    assert!((55..=60).contains(&wait), "{waiting}");
    sqlx::query("update reactor_actions set due_at = now(), next_attempt_at = now() where effect = 'mail' and done_at is null")
        .execute(&app.database.pool)
        .await
        .unwrap();
    wait_for_statuses(&app, &operator, (user.id, "unsold"), &[accepted; 3]).await;
}
