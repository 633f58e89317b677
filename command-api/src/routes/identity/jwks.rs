//! The route of the public keys by which others verify access tokens (RFC 7517).

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(jwks))
}

/// Get the public keys that access tokens are verified with
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "sessions",
    responses((status = 200, description = "A JWK set (RFC 7517)", body = Object))
)]
async fn jwks(State(app): State<App>) -> Json<Value> {
    Json(app.verifier.jwks())
}
