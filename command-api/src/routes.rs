//! The routes of the command API: a folder for each context, and in it a file for each noun. A route
//! checks the form of a body and names the command; the domain decides whether the command may happen.

mod audit;
mod description;
mod identity;
mod lists;
mod market;
mod media;
mod messaging;
mod operations;
mod sealed_value;
mod tasks;

use std::time::Duration;

use axum::Router;
use tidemark_platform::http::tus::Resumable;
use tidemark_platform::{config, http, openapi};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::media::largest_bytes_max;

/// All routes, and their description for clients. Bodies that may hold passwords have a lower limit of their own.
pub(crate) fn router(app: App) -> Router {
    let limits = app.config.http.clone();
    let (identity, others) = routes();
    let routes = http::body_limit(identity.into(), limits.auth_body_bytes_max)
        .merge(others)
        .with_state(app.clone());
    let for_others = Router::from(messaging::for_others()).with_state(app);
    let for_others = openapi::guard(for_others, &api_for_others());
    openapi::described(routes.merge(for_others), api())
}

/// The routes that receive files.
pub(crate) fn streamed(settings: &config::Media) -> http::Streamed {
    http::Streamed {
        paths: media::STREAMED,
        timeout: Duration::from_millis(settings.request_ms),
        resumable: Resumable {
            paths: media::RESUMABLE,
            bytes_max: largest_bytes_max(settings).unsigned_abs(),
        },
    }
}

/// The description of this API for clients.
#[must_use]
pub fn api() -> OpenApi {
    let (identity, others) = routes();
    description::of(identity.merge(others).into_openapi())
}

/// What the routes take and answer that are for others than clients of the API, each by a standard of its own. Nobody is given this
/// description; it is what the door goes by.
#[must_use]
pub fn api_for_others() -> OpenApi {
    messaging::for_others().into_openapi()
}

/// The routes whose bodies may hold passwords, and all others.
fn routes() -> (OpenApiRouter<App>, OpenApiRouter<App>) {
    let others = OpenApiRouter::default()
        .merge(market::router())
        .merge(audit::router())
        .merge(media::router())
        .merge(messaging::router())
        .merge(operations::router())
        .merge(tasks::router());
    (OpenApiRouter::default().merge(identity::router()), others)
}
