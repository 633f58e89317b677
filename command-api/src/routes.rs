//! The routes of the command API, one file a noun in the folder of its context. A route checks the shape of a body and names the
//! command; whether the command may happen is decided elsewhere.

mod audit;
mod identity;
mod market;

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
        .merge(identity::router())
        .split_for_parts();
    let (others, others_api) = OpenApiRouter::new()
        .merge(market::router())
        .merge(audit::router())
        .split_for_parts();
    http::body_limit(secrets, limits.auth_body_bytes_max)
        .merge(others)
        .with_state(app)
        .merge(openapi::router(secrets_api.merge_from(others_api)))
}
