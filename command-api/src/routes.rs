//! The routes of the command API, one file a noun. A route checks the shape of a body and names the
//! command; whether the command may happen is decided elsewhere.

mod auctions;
mod categories;
mod jwks;
mod money;
mod products;
mod readings;
mod sessions;
mod users;

use axum::Router;
use tidemark_platform::{http, openapi};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

#[derive(OpenApi)]
#[openapi(info(
    title = "Tidemark command API",
    description = "Sends commands. Each answer comes after its facts are durable in the log, and \
                   carries `Tidemark`: hand it to a query, and the query reflects your command."
))]
struct Document;

/// Every route, with its documentation.
pub(crate) fn router(app: App) -> Router {
    let limits = app.config.http.clone();
    let (secrets, secrets_api) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(users::router())
        .merge(sessions::router())
        .split_for_parts();
    let (others, others_api) = OpenApiRouter::new()
        .merge(categories::router())
        .merge(products::router())
        .merge(auctions::router())
        .merge(readings::router())
        .merge(jwks::router())
        .split_for_parts();
    http::body_limit(secrets, limits.auth_body_bytes_max)
        .merge(others)
        .with_state(app)
        .merge(openapi::router(secrets_api.merge_from(others_api)))
}
