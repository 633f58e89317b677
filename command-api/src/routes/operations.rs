//! Routes of commands about the running system, which the operators' tool sends.

mod forks;
mod publications;
mod rebuilds;
mod repairs;
mod retries;
mod rules;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(forks::router())
        .merge(publications::router())
        .merge(rebuilds::router())
        .merge(repairs::router())
        .merge(retries::router())
}
