//! The routes of messages, with a request that each accepts.

use serde_json::{Value, json};
use tidemark_events::MessageId;
use tidemark_tests::App;
use tidemark_tests::market::won;
use tidemark_tests::messages::welcome;

use crate::http::routes::{Audience, Route};

/// The reactor that has messages sent.
const NOTIFIER: &str = "notifier";
/// The reactor that sends mails.
const MAILER: &str = "mailer";

/// The reactor that closes digests.
const DIGEST_TIMER: &str = "digest-timer";
/// The reactor that notifies users of what happens in auctions.
const AUCTION_NOTIFIER: &str = "auction-notifier";

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let mut routes = messages(app).await;
    routes.extend(notifications(app).await);
    routes.push(release(app).await);
    routes.push(digest(app).await);
    routes.push(bounce(app).await);
    routes.push(complaint(app).await);
    routes.extend(phones(app).await);
    routes.extend(templates(app).await);
    routes
}

async fn notifications(app: &App) -> Vec<Route> {
    let (market, user) = (app.market().await, app.user().await);
    let notifier = app.reactor(AUCTION_NOTIFIER);
    let preferences =
        json!({"category": "outbid", "inbox": true, "mail": false, "sms": false, "digest": true});
    let body = won(user.id, market.draft().await);
    let categories = ["", "lost", "Outbid"];
    vec![
        Route::post(
            "/v1/notifications",
            Audience::Service(AUCTION_NOTIFIER),
            &notifier,
        )
        .with(body)
        .optional(&["/amount"])
        .out_of_range("/category", categories.map(Value::from))
        .out_of_range("/about/kind", ["", "product"].map(Value::from))
        .line("/dedupe_key", 100),
        Route::post("/v1/notifications/{id}/read", Audience::Owner, &user)
            .about(market.notification(user.id).await),
        Route::post("/v1/notifications/read", Audience::Owner, &user)
            .with(json!({"notifications": [market.notification(user.id).await]}))
            .out_of_range("/notifications", [json!([]), json!([user.id, user.id])]),
        Route::post("/v1/notifications/{id}/archive", Audience::Owner, &user)
            .about(market.notification(user.id).await),
        Route::post("/v1/users/{id}/preferences", Audience::Owner, &user)
            .about(user.id)
            .with(preferences)
            .optional(&["/sms", "/digest"])
            .out_of_range("/category", categories.map(Value::from)),
    ]
}

/// The end of a digest, which is open for a second.
async fn digest(app: &App) -> Route {
    let (market, user) = (app.market().await, app.user().await);
    let preferences = json!({"category": "unsold", "inbox": true, "mail": true, "digest": true});
    let path = format!("/v1/users/{}/preferences", user.id);
    user.post(&path, &preferences).await.ok();
    let mut told = won(user.id, market.draft().await);
    told["category"] = "unsold".into();
    let notifier = app.reactor(AUCTION_NOTIFIER);
    notifier.post("/v1/notifications", &told).await.ok();
    let opened = app.events("digest.opened").await.pop().unwrap();
    let template = "/v1/digests/{id}/close";
    let timer = app.reactor(DIGEST_TIMER);
    Route::post(template, Audience::Service(DIGEST_TIMER), &timer)
        .about(opened["digest_id"].as_str().unwrap().parse().unwrap())
}

async fn release(app: &App) -> Route {
    let (_, contact_point) = app.unreachable_user().await;
    let operator = app.user_with("operator").await;
    let template = "/v1/contact-points/{id}/release";
    Route::post(template, Audience::Role("operator"), &operator).about(contact_point)
}

async fn templates(app: &App) -> Vec<Route> {
    let operator = app.user_with("operator").await;
    let template = json!({
        "channel": "mail",
        "locale": "en",
        "category": "outbid",
        "subject": "Outbid",
        "body": "Hello",
    });
    let is_operator = Audience::Role("operator");
    vec![
        Route::post("/v1/templates", is_operator, &operator)
            .with(template)
            .out_of_range("/channel", ["", "inbox", "Mail"].map(Value::from))
            .out_of_range("/locale", ["", "EN", "english", "en-us"].map(Value::from))
            .out_of_range("/category", ["", "phone_code", "Won"].map(Value::from))
            .out_of_range("/subject", ["{{ x }}", "{{", "{% x %}"].map(Value::from))
            .out_of_range("/body", ["{{ x }}", "{{", "{% x %}"].map(Value::from))
            .line("/subject", 300)
            .text("/body", 20_000),
        Route::post("/v1/templates/{id}/retire", is_operator, &operator)
            .about(app.template().await),
    ]
}

async fn phones(app: &App) -> Vec<Route> {
    let (stating, verifying, removing) = (app.user().await, app.user().await, app.user().await);
    app.state_phone(&verifying, "+4915100000002").await.ok();
    let code = app.phone_code(&verifying).await.unwrap();
    app.state_phone(&removing, "+4915100000003").await.ok();
    let numbers = [
        "",
        "+",
        "015112345678",
        "+0491511234567",
        "+49 151 12345678",
        "+123456",
        "+1234567890123456",
    ];
    let codes = ["", "12345", "1234567", "12345a", "１２３４５６"];
    vec![
        Route::post("/v1/users/{id}/phone", Audience::Owner, &stating)
            .about(stating.id)
            .with(json!({"number": "+4915100000001"}))
            .out_of_range("/number", numbers.map(Value::from)),
        Route::post("/v1/users/{id}/phone/verify", Audience::Owner, &verifying)
            .about(verifying.id)
            .with(json!({"code": code}))
            .out_of_range("/code", codes.map(Value::from)),
        Route::delete("/v1/users/{id}/phone", Audience::Owner, &removing).about(removing.id),
    ]
}

/// A mail server's report that a mail could not be delivered.
async fn bounce(app: &App) -> Route {
    let user = app.user().await;
    let message_id = MessageId(app.message(user.id).await);
    let return_path = app.return_path(message_id);
    Route::post(
        "/v1/bounces",
        Audience::Service("mail-server"),
        &app.service("mail-server"),
    )
    .with(json!({"return_path": return_path, "status": "5.1.1"}))
    .out_of_range("/return_path", [json!(""), json!("a".repeat(255))])
    .line("/status", 20)
}

/// A mail server's report that a recipient has complained.
async fn complaint(app: &App) -> Route {
    let user = app.user().await;
    let message_id = MessageId(app.message(user.id).await);
    let return_path = app.return_path(message_id);
    Route::post(
        "/v1/complaints",
        Audience::Service("mail-server"),
        &app.service("mail-server"),
    )
    .with(json!({"return_path": return_path}))
    .out_of_range("/return_path", [json!(""), json!("a".repeat(255))])
}

async fn messages(app: &App) -> Vec<Route> {
    let user = app.user().await;
    let notifier = app.reactor(NOTIFIER);
    let mailer = app.reactor(MAILER);
    let to_end = app.message(user.id).await;
    let no_bytes = || ["", "a", "not base64url!", &"A".repeat(4_000)].map(Value::from);
    let request = Route::post("/v1/messages", Audience::Service(NOTIFIER), &notifier)
        .with(welcome(user.id))
        .out_of_range("/template", ["", "goodbye"].map(Value::from))
        .out_of_range("/to/key_version", [json!(0), json!(-1)])
        .out_of_range("/to/nonce", no_bytes())
        .out_of_range("/to/ciphertext", no_bytes())
        .out_of_range("/name/nonce", no_bytes())
        .out_of_range("/name/ciphertext", no_bytes());
    let end = Route::post("/v1/messages/{id}/end", Audience::Service(MAILER), &mailer)
        .about(to_end)
        .with(json!({"outcome": "accepted", "status": "250 2.0.0"}))
        .optional(&["/status"])
        .out_of_range("/outcome", ["", "lost"].map(Value::from))
        .line("/status", 20);
    vec![request, end]
}
