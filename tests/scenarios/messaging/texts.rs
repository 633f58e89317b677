//! Texts go to a provider, and what becomes of each is in the log: what the provider answers, and what it says later.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha1::Sha1;
use tidemark_tests::{Answer, App, Client, User, eventually};

use super::provider::{CALLBACK_URL, Provider, SENDER, TOKEN};
use super::suppressions::await_events;

/// Waits until the reactors that tell people something have begun to answer what happens.
pub(super) async fn ready(app: App) -> App {
    eventually("the reactors to begin", || async {
        let sql =
            "select count(*) from reactors where name in ('texter', 'mailer', 'auction-notifier')";
        let begun: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (begun == 3).then_some(())
    })
    .await;
    app
}

async fn started(provider: &Provider) -> App {
    ready(provider.application().start().await).await
}

/// States a number, and waits until the sending of the text has ended. Returns its end.
async fn sent_to(app: &App, user: &User, number: &str) -> Value {
    let before = app.events("message.ended").await.len();
    app.state_phone(user, number).await.ok();
    let mut ended = await_events(app, "message.ended", before + 1).await;
    ended.pop().unwrap()
}

/// The attempts at a text, and what was told of the last one, once there was one.
async fn tried(app: &App) -> (i32, String) {
    eventually("an attempt to send the text", || async {
        let sql = "select attempts, outcome from reactor_actions where effect = 'text' and outcome is not null";
        sqlx::query_as(sql)
            .fetch_optional(&app.database.pool)
            .await
            .unwrap()
    })
    .await
}

#[tokio::test]
async fn a_code_goes_to_the_provider_and_verifies_the_number() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    let end = sent_to(&app, &user, "+4915100000001").await;
    assert_eq!(
        (&end["outcome"], &end["status"]),
        (&json!("accepted"), &json!("201"))
    );
    let received = provider.requests(1).await;
    let [form] = &received[..] else {
        panic!("one text: {received:?}")
    };
    assert_eq!(form["To"], "+4915100000001");
    assert_eq!(form["From"], SENDER);
    let id = end["message_id"].as_str().unwrap();
    let callback = format!("{CALLBACK_URL}/texts/{id}/status");
    assert_eq!(form["StatusCallback"], callback);
    let validity_s: u32 = form["ValidityPeriod"].parse().unwrap();
    assert!((500..=600).contains(&validity_s), "{validity_s}");
    app.send_code(&user, &form["Body"][..6]).await.ok();
    // Afterwards nothing opens the code that the log holds.
    eventually("the key of the code to be destroyed", || async {
        app.phone_code(&user).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_wants_to_is_told_by_a_text_whose_title_is_shortened() {
    let provider = Provider::start().await;
    let app = provider.application().set("TIDEMARK_SMS__SEGMENTS_MAX", 1);
    let app = ready(app.start().await).await;
    let (market, user) = (app.market().await, app.user().await);
    app.state_phone(&user, "+4915100000001").await.ok();
    let code = &provider.requests(1).await[0]["Body"][..6];
    app.send_code(&user, code).await.ok();
    app.choose_texts(&user, "won").await.ok();
    market.notification(user.id).await;
    let received = provider.requests(2).await;
    let body = &received[1]["Body"];
    assert_eq!(
        body,
        "You have won: \"Ship's chronometer\". The price is 10.00 EUR."
    );
    let spent = app.events("text_budget.spent").await;
    assert_eq!(spent.len(), 2);
    // Whoever is sent as many texts as may be is told by the other channels.
    market.notification(user.id).await;
    market.notification(user.id).await;
    let unsent = await_events(&app, "message.suppressed", 1).await;
    assert_eq!(unsent[0]["channel"], "sms");
    assert_eq!(unsent[0]["reason"], "too_many");
    assert_eq!(app.events("notification.raised").await.len(), 3);
}

#[tokio::test]
async fn what_the_provider_refuses_is_on_record_and_counts_for_the_number() {
    for (number, status, reason) in [
        ("+4915100000610", "400 21610", Some("unsubscribed")),
        ("+4915100000211", "400 21211", Some("hard_bounce")),
        ("+4915100000408", "400 21408", None),
    ] {
        let provider = Provider::start().await;
        let app = started(&provider).await;
        let user = app.user().await;
        let end = sent_to(&app, &user, number).await;
        assert_eq!(end["outcome"], "bounced", "{number}");
        assert_eq!(end["status"], status, "the answer names the number");
        let suppressed = app.events("contact_point.suppressed").await;
        let reasons: Vec<_> = suppressed.iter().map(|it| it["reason"].as_str()).collect();
        assert_eq!(
            reasons,
            reason.iter().map(|it| Some(*it)).collect::<Vec<_>>()
        );
        let again = app.state_phone(&user, number).await;
        match reason {
            Some(_) => again.problem(409, "phone_unreachable"),
            None => assert!(again.is_ok(), "{again:?}"),
        }
        if reason == Some("unsubscribed") {
            assert_eq!(suppressed[0]["until"], json!(null));
        }
    }
}

#[tokio::test]
async fn an_operator_lets_texts_be_sent_again_to_who_had_unsubscribed() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    sent_to(&app, &user, "+4915100000610").await;
    let operator = app.user_with("operator").await;
    app.settle().await;
    let listed = operator.get("/v1/operations/suppressions").await.ok().body;
    let suppression = &listed["items"][0];
    assert_eq!(suppression["causes"][0]["reason"], "unsubscribed");
    let id = suppression["id"].as_str().unwrap();
    let path = format!("/v1/contact-points/{id}/release");
    operator.post_empty(&path).await.ok();
    sent_to(&app, &user, "+4915100000610").await;
    assert_eq!(provider.received().len(), 2);
}

#[tokio::test]
async fn a_provider_that_takes_no_texts_now_is_asked_again() {
    for (number, told) in [
        ("+4915100000429", "429 20429"),
        ("+4915100000500", "500"),
        ("+4915100000401", "401 20003"),
    ] {
        let provider = Provider::start().await;
        let app = started(&provider).await;
        let user = app.user().await;
        app.state_phone(&user, number).await.ok();
        assert_eq!(tried(&app).await, (1, told.to_owned()));
        sqlx::query("update reactor_actions set next_attempt_at = now() where effect = 'text'")
            .execute(&app.database.pool)
            .await
            .unwrap();
        assert_eq!(provider.requests(2).await.len(), 2);
        assert_eq!(app.events("message.ended").await.len(), 0);
        assert_eq!(app.events("contact_point.suppressed").await.len(), 0);
    }
}

#[tokio::test]
async fn a_text_that_no_provider_was_sent_waits() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let provider = Provider::start().await;
    let app = provider
        .application()
        .set("TIDEMARK_SMS__PROVIDER_URL", url);
    let app = ready(app.start().await).await;
    let user = app.user().await;
    app.state_phone(&user, "+4915100000001").await.ok();
    let (attempts, _) = tried(&app).await;
    assert_eq!(attempts, 1);
    assert_eq!(app.events("message.ended").await.len(), 0);
}

#[tokio::test]
async fn it_is_uncertain_whether_a_silent_provider_has_the_text_and_it_is_not_sent_again() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    let end = sent_to(&app, &user, "+4915100000999").await;
    assert_eq!(end["outcome"], "uncertain");
    assert_eq!(provider.received().len(), 1);
}

/// Sends what the provider says of a text, with this signature.
async fn call(client: &Client, id: &str, form: &[(&str, &str)], signature: &str) -> Response {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = client.command(Method::POST, &format!("/texts/{id}/status"));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature);
    request.body(body).send().await.unwrap()
}

/// The signature of what the provider says of a text.
fn signature(token: &str, id: &str, form: &[(&str, &str)]) -> String {
    let mut signed = format!("{CALLBACK_URL}/texts/{id}/status");
    for (name, value) in form.iter().copied().collect::<BTreeSet<_>>() {
        signed += name;
        signed += value;
    }
    let mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    STANDARD.encode(mac.chain_update(signed).finalize().into_bytes())
}

const DELIVERED: [(&str, &str); 4] = [
    ("MessageSid", "SM1"),
    ("MessageStatus", "delivered"),
    ("To", "+4915100000001"),
    ("AccountSid", "AC1"),
];
const UNDELIVERED: [(&str, &str); 3] = [
    ("MessageSid", "SM1"),
    ("MessageStatus", "undelivered"),
    ("ErrorCode", "30005"),
];

/// A text that the provider has taken.
async fn taken(app: &App, user: &User) -> String {
    let end = sent_to(app, user, "+4915100000001").await;
    end["message_id"].as_str().unwrap().to_owned()
}

/// The status of the text, as operators see it.
async fn status(app: &App, operator: &User) -> Value {
    app.settle().await;
    let listed = operator.get("/v1/operations/deliveries").await.ok().body;
    let items = listed["items"].as_array().unwrap();
    let text = items.iter().find(|it| it["channel"] == "sms").unwrap();
    text["status"].clone()
}

#[tokio::test]
async fn what_the_provider_says_later_is_recorded_once() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let (user, operator) = (app.user().await, app.user_with("operator").await);
    let id = taken(&app, &user).await;
    let signed = signature(TOKEN, &id, &DELIVERED);
    let on_its_way = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    let sent = signature(TOKEN, &id, &on_its_way);
    assert_eq!(
        call(&app.client, &id, &on_its_way, &sent).await.status(),
        204
    );
    assert_eq!(status(&app, &operator).await, "accepted");
    for _ in 0..3 {
        let answer = call(&app.client, &id, &DELIVERED, &signed).await;
        assert_eq!(answer.status(), 204);
    }
    let delivered = app.events("message.delivered").await;
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0]["message_id"], json!(id));
    assert_eq!(status(&app, &operator).await, "delivered");
    // What comes too late changes nothing any more.
    let late = signature(TOKEN, &id, &UNDELIVERED);
    let answer = call(&app.client, &id, &UNDELIVERED, &late).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(app.events("message.bounced").await.len(), 0);
}

#[tokio::test]
async fn a_text_that_does_not_reach_the_telephone_counts_for_the_number() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let (user, operator) = (app.user().await, app.user_with("operator").await);
    let id = taken(&app, &user).await;
    let signed = signature(TOKEN, &id, &UNDELIVERED);
    for _ in 0..2 {
        let answer = call(&app.client, &id, &UNDELIVERED, &signed).await;
        assert_eq!(answer.status(), 204);
    }
    let bounced = app.events("message.bounced").await;
    assert_eq!(bounced.len(), 1);
    assert_eq!(
        (&bounced[0]["status"], &bounced[0]["via"]),
        (&json!("30005"), &json!("callback"))
    );
    let suppressed = app.events("contact_point.suppressed").await;
    assert_eq!(suppressed[0]["reason"], "hard_bounce");
    assert_eq!(status(&app, &operator).await, "bounced");
}

#[tokio::test]
async fn what_the_provider_has_not_signed_changes_nothing() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    let id = taken(&app, &user).await;
    app.settle().await;
    let head = app.database.head().await;
    let other_text = uuid::Uuid::nil().to_string();
    let signed = signature(TOKEN, &id, &DELIVERED);
    for wrong in [
        "",
        "AAAA",
        &signature("another-token", &id, &DELIVERED),
        &signature(TOKEN, &other_text, &DELIVERED),
        &signature(TOKEN, &id, &UNDELIVERED),
        &signed[..signed.len() - 1],
    ] {
        let answer = call(&app.client, &id, &DELIVERED, wrong).await;
        assert_eq!(answer.status(), 403, "{wrong}");
    }
    let other = call(&app.client, &other_text, &DELIVERED, &signed).await;
    assert_eq!(other.status(), 403);
    assert_eq!(app.database.head().await, head);
}

/// Without a token whoever knows that there is none could sign.
#[tokio::test]
async fn without_a_provider_nobody_says_what_became_of_texts() {
    let app = App::start().await;
    let user = app.user().await;
    app.state_phone(&user, "+4915100000001").await.ok();
    let id = app.events("message.requested").await[0]["message_id"].clone();
    let id = id.as_str().unwrap();
    let signed = signature("", id, &DELIVERED);
    let answer = call(&app.client, id, &DELIVERED, &signed).await;
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn what_the_provider_says_is_a_form_at_exactly_the_url_that_it_was_told() {
    let app = App::start().await;
    let path = format!("/texts/{}/status", uuid::Uuid::nil());
    let post = async |path: &str, media_type: &str| {
        let request = app.client.command(Method::POST, path);
        let request = request.header("content-type", media_type);
        let request = request.body("MessageStatus=delivered");
        Answer::of(request.send().await.unwrap()).await
    };
    for media_type in ["", "application/json", "multipart/form-data; boundary=b"] {
        let refused = post(&path, media_type).await;
        refused.problem(415, "unsupported_media_type");
    }
    let form = "application/x-www-form-urlencoded";
    let refused = post(&format!("{path}?bodySHA256=0"), form).await;
    refused.problem(422, "invalid");
    post(&path, form).await.problem(403, "refused");
    assert_eq!(app.database.head().await, 0);
}
