//! The routes of users, roles and sessions, each with a request that it accepts.

use serde_json::{Value, json};
use tidemark_tests::{App, Client, from_environment};

use crate::http::routes::{Audience, Route};

/// A body that may hold a password is small.
const BODY_BYTES_MAX: usize = 8_192;

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let mut routes = users(app).await;
    routes.extend(sessions(app).await);
    let small = |route: Route| route.body_bytes_max(BODY_BYTES_MAX);
    routes.into_iter().map(small).collect()
}

async fn users(app: &App) -> Vec<Route> {
    let (anybody, operator) = (&app.client, &app.service("operator"));
    let admin: &Client = app.admin().await;
    let is_admin = Audience::Role("admin");
    let (user, auditor) = (app.user().await, app.auditor().await);
    let mut first_admin = app.person().registration();
    first_admin["secret"] = from_environment("TIDEMARK_BOOTSTRAP_SECRET").into();
    let revoke = "/v1/users/{id}/roles/{role}";
    vec![
        registration(
            Route::post("/v1/users", Audience::Anybody, anybody),
            app.person().registration(),
        ),
        registration(
            Route::post("/v1/admins", Audience::Service("operator"), operator),
            first_admin,
        ),
        Route::post("/v1/users/{id}/roles", is_admin, admin)
            .about(user.id)
            .with(json!({"role": "operator"}))
            .out_of_range("/role", [json!("king"), json!("Admin"), json!("")]),
        Route::delete(revoke, is_admin, admin)
            .about(auditor.id)
            .about_role("buyer"),
    ]
}

fn registration(route: Route, body: Value) -> Route {
    let email = [
        json!("no address"),
        json!("a@b@c.example"),
        json!("a.@c.example"),
        json!(".a@c.example"),
        json!("a..b@c.example"),
        json!("a@[::1]"),
        json!("a@b\r\n.example"),
        json!("a\u{202e}b@c.example"),
        json!(format!("a@{}", vec!["b"; 127].join("."))),
    ];
    route
        .with(body)
        .out_of_range("/email", email)
        .line("/display_name", 100)
}

async fn sessions(app: &App) -> Vec<Route> {
    let user = app.user().await;
    let login = json!({"email": user.email, "password": user.password});
    vec![
        // What cannot be an e-mail address is only a wrong one here, so no value is out of range.
        Route::post("/v1/sessions", Audience::Anybody, &app.client).with(login),
        Route::post("/v1/sessions/refresh", Audience::Anybody, &app.client)
            .with(json!({"refresh_token": user.refresh_token})),
        Route::delete("/v1/sessions/{id}", Audience::Owner, &user).about(user.session_id),
    ]
}
