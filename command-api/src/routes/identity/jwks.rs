//! The key that access tokens are verified with (RFC 7517).

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(jwks))
}

/// The public keys of access tokens
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "sessions",
    responses((status = 200, description = "A JWK set", body = Object))
)]
async fn jwks(State(app): State<App>) -> Json<Value> {
    Json(app.verifier.jwks())
}
