//! What the provider says later of texts that it has taken.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha1::Sha1;
use tidemark_tests::{Answer, App, Client, User};

use super::provider::{CALLBACK_URL, Provider, TOKEN};
use super::texts::{sent_to, started};

/// Sends what the provider says of a text, with this signature.
pub(crate) async fn call(
    client: &Client,
    id: &str,
    form: &[(&str, &str)],
    signature: &str,
) -> Response {
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
pub(crate) fn signature(token: &str, id: &str, form: &[(&str, &str)]) -> String {
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
