//! The routes of the command API: a folder for each context, and in it a file for each noun. A route
//! checks the form of a body and names the command; the domain decides whether the command may happen.

mod audit;
mod identity;
mod market;
mod operations;

use axum::Router;
use tidemark_platform::{http, openapi};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

#[derive(OpenApi)]
#[openapi(info(
    title = "Tidemark command API",
    description = "Accepts commands. Each answer is sent after its events are durable in the log, and \
                   carries the header `Tidemark`. Send that header with a query, and the query reflects \
                   the command. Where something was created, the header `Location` is the path at \
                   which the query API shows it."
))]
struct Document;

/// All routes, and their description for clients. Bodies that may hold passwords have a lower limit of their own.
pub(crate) fn router(app: App) -> Router {
    let limits = app.config.http.clone();
    let (identity, identity_api) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(identity::router())
        .split_for_parts();
    let (others, others_api) = OpenApiRouter::new()
        .merge(market::router())
        .merge(audit::router())
        .merge(operations::router())
        .split_for_parts();
    http::body_limit(identity, limits.auth_body_bytes_max)
        .merge(others)
        .with_state(app)
        .merge(openapi::router(identity_api.merge_from(others_api)))
}
