//! The routes of messages, with a request that each accepts.

use serde_json::{Value, json};
use tidemark_tests::App;
use tidemark_tests::market::won;
use uuid::Uuid;

use crate::http::routes::{Audience, Route};

/// The reactor that has messages sent.
const NOTIFIER: &str = "notifier";
/// The reactor that sends mails.
const MAILER: &str = "mailer";

/// The reactor that notifies users of what happens in auctions.
const AUCTION_NOTIFIER: &str = "auction-notifier";

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let mut routes = messages(app).await;
    routes.extend(notifications(app).await);
    routes
}

async fn notifications(app: &App) -> Vec<Route> {
    let (market, user) = (app.market().await, app.user().await);
    let notifier = app.reactor(AUCTION_NOTIFIER);
    let preferences = json!({"category": "outbid", "inbox": true, "mail": false});
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
        Route::post("/v1/notifications/{id}/archive", Audience::Owner, &user)
            .about(market.notification(user.id).await),
        Route::post("/v1/users/{id}/preferences", Audience::Owner, &user)
            .about(user.id)
            .with(preferences)
            .out_of_range("/category", categories.map(Value::from)),
    ]
}

async fn messages(app: &App) -> Vec<Route> {
    let sealed = |ciphertext: &str| {
        json!({
            "subject": Uuid::from_u128(1),
            "key_version": 1,
            "nonce": "bm9uY2Vub25jZW5vbmNlbm9uY2Vub25j",
            "ciphertext": ciphertext,
        })
    };
    let ciphertext = "Y2lwaGVydGV4dC1hbmQtaXRzLXRhZw";
    let message =
        json!({"template": "welcome", "to": sealed(ciphertext), "name": sealed(ciphertext)});
    let notifier = app.reactor(NOTIFIER);
    let mailer = app.reactor(MAILER);
    let requested = notifier.post("/v1/messages", &message).await.ok();
    let to_end = requested.body["id"].as_str().unwrap().parse().unwrap();
    let no_bytes = || ["", "a", "not base64url!", &"A".repeat(4_000)].map(Value::from);
    let request = Route::post("/v1/messages", Audience::Service(NOTIFIER), &notifier)
        .with(message)
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
