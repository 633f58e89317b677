//! Addresses to which mails cannot be delivered get none for a while, and operators see which these are.

use serde_json::{Value, json};
use sqlx::types::chrono::{DateTime, Utc};
use tidemark_tests::{App, Client, MailServer, eventually};
use uuid::Uuid;

use super::mail::{ended, mailer_to, mailing, ready, register};

/// Registers somebody whose address begins like this, and returns the id and the address.
pub(super) async fn recipient(app: &App, begins: &str) -> (Uuid, String) {
    let mut person = app.person();
    person.email = format!("{begins}-{}", person.email);
    let registered = app.client.post("/v1/users", &person.registration()).await;
    (registered.ok().id(), person.email)
}

/// Waits until there are so many events of this type, and returns them.
pub(crate) async fn await_events(app: &App, event_type: &str, count: usize) -> Vec<Value> {
    eventually(event_type, || async {
        let found = app.events(event_type).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

/// What an operator finds at this path, of this address.
async fn found(operator: &Client, path: &str, address: &str) -> Vec<Value> {
    let page = operator.with("email-address", address).get(path).await.ok();
    assert!(!page.text.contains(address), "{}", page.text);
    page.body["items"].as_array().unwrap().clone()
}

const SUPPRESSIONS: &str = "/v1/operations/suppressions";
const DELIVERIES: &str = "/v1/operations/deliveries";

#[tokio::test]
async fn an_address_that_does_not_exist_gets_nothing_until_an_operator_releases_it() {
    let server = MailServer::start().await;
    let app = mailing(&server).await;
    let (user_id, email) = recipient(&app, "gone").await;
    ended(&app).await;
    let suppressed = await_events(&app, "contact_point.suppressed", 1).await;
    assert_eq!(suppressed[0]["reason"], "hard_bounce");
    let until: DateTime<Utc> = suppressed[0]["until"].as_str().unwrap().parse().unwrap();
    let hours = (until - app.database.now().await).num_hours();
    assert!((29 * 24..31 * 24).contains(&hours), "{until}");

    let market = app.market().await;
    market.notification(user_id).await;
    let unsent = await_events(&app, "message.suppressed", 1).await;
    assert_eq!(unsent[0]["user_id"], json!(user_id));
    assert_eq!(unsent[0]["reason"], "address");

    let operator = app.user_with("operator").await;
    app.settle().await;
    let listed = found(&operator, SUPPRESSIONS, &email.to_uppercase()).await;
    let [suppression] = &listed[..] else {
        panic!("one suppression: {listed:?}")
    };
    assert_eq!(suppression["causes"][0]["reason"], "hard_bounce");
    assert_eq!(suppression["address_hash"], suppressed[0]["address_hash"]);
    assert_eq!(
        found(&operator, SUPPRESSIONS, &operator.email).await,
        [Value::Null; 0]
    );
    let release = format!(
        "/v1/contact-points/{}/release",
        suppression["id"].as_str().unwrap()
    );
    let released = operator.post_empty(&release).await.ok();
    let again = operator.post_empty(&release).await;
    again.problem(409, "contact_point_not_suppressed");
    let operator = operator.with_tidemark(released.tidemark());
    assert_eq!(
        found(&operator, SUPPRESSIONS, &email).await,
        [Value::Null; 0]
    );

    market.notification(user_id).await;
    // It is tried, and refused once more.
    await_events(&app, "contact_point.suppressed", 2).await;
    assert_eq!(app.events("message.suppressed").await.len(), 1);
}

#[tokio::test]
async fn an_address_whose_mailbox_stays_full_gets_nothing_for_a_week() {
    let server = MailServer::start().await;
    let app = mailing(&server).await;
    let (user_id, _) = recipient(&app, "full").await;
    ended(&app).await;
    let market = app.market().await;
    for bounces in 2..=5 {
        market.notification(user_id).await;
        await_events(&app, "contact_point.soft_bounced", bounces).await;
    }
    let suppressed = app.events("contact_point.suppressed").await;
    assert_eq!(suppressed[0]["reason"], "soft_bounces");
    market.notification(user_id).await;
    await_events(&app, "message.suppressed", 1).await;
}

/// What the last attempt is answered while the mail is of use, is what is known of it.
#[tokio::test]
async fn a_mail_that_is_not_taken_while_it_is_of_use_counts_as_refused_for_the_time() {
    let app = ready(App::builder().projector().start().await).await;
    register(&app, "busy").await;
    app.settle().await;
    let soon = app.database.in_seconds(30).await;
    sqlx::query("update reactor_actions set body = jsonb_set(body::jsonb, '{not_after}', to_jsonb($1::text))::json where effect = 'mail'")
        .bind(soon.clone())
        .execute(&app.database.pool)
        .await
        .unwrap();
    let server = MailServer::start().await;
    let _mailer = mailer_to(&app, &server).await;
    let (_, end) = ended(&app).await;
    assert_eq!(
        (&end["outcome"], &end["status"]),
        (&json!("expired"), &json!("450 4.2.1"))
    );
    let bounced = app.events("contact_point.soft_bounced").await;
    assert_eq!(bounced.len(), 1);
}

#[tokio::test]
async fn operators_find_what_became_of_messages() {
    let server = MailServer::start().await;
    let app = mailing(&server).await;
    let (user_id, email) = recipient(&app, "gone").await;
    ended(&app).await;
    let market = app.market().await;
    market.notification(user_id).await;
    let operator = app.user_with("operator").await;
    app.settle().await;
    let statuses = |items: &[Value]| {
        let status = |it: &Value| it["status"].as_str().unwrap().to_owned();
        items.iter().map(status).collect::<Vec<_>>()
    };
    let of_address = found(&operator, DELIVERIES, &email).await;
    assert_eq!(statuses(&of_address), ["suppressed", "bounced"]);
    assert_eq!(of_address[0]["category"], "won");
    assert_eq!(of_address[1]["codes"], "550 5.1.1");
    let of_user = operator
        .get(&format!("{DELIVERIES}?user_id={user_id}"))
        .await;
    assert_eq!(of_user.ok().body["items"], json!(of_address));
    let bounced = operator.get(&format!("{DELIVERIES}?status=bounced")).await;
    assert_eq!(bounced.ok().body["items"], json!([of_address[1]]));
    let first = operator.get(&format!("{DELIVERIES}?limit=1")).await.ok();
    let next = first.body["next"].as_str().unwrap();
    let second = operator
        .get(&format!("{DELIVERIES}?limit=1&cursor={next}"))
        .await;
    assert_ne!(second.ok().body["items"], first.body["items"]);
    let both = format!("{DELIVERIES}?status=bounced&user_id={user_id}");
    operator.get(&both).await.problem(422, "invalid");
}

#[tokio::test]
async fn nobody_but_operators_looks_for_messages() {
    let app = App::builder().queries().start().await;
    let user = app.user().await;
    let operator = app.user_with("operator").await;
    for path in [SUPPRESSIONS, DELIVERIES] {
        user.get(path).await.problem(403, "role_required");
        app.client.get(path).await.problem(401, "unauthenticated");
        for wrong in ["", "ada", "ada@example.com, bob@example.com"] {
            let answer = operator.with("email-address", wrong).get(path).await;
            answer.problem(400, "invalid_email_address");
        }
        for wrong in ["", "015112345678", "+4915112345678, +4915112345679"] {
            let answer = operator.with("phone-number", wrong).get(path).await;
            answer.problem(400, "invalid_phone_number");
        }
        let both = operator.with("email-address", "ada@example.com");
        let both = both.with("phone-number", "+4915112345678");
        both.get(path).await.problem(400, "invalid_phone_number");
    }
}
