//! The routes: one folder per context, one file per noun. A route states what it reads and who may read
//! it; [`crate::freshness`] sees to it that the answer is fresh enough.

mod audit;
mod identity;
mod market;

use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

#[derive(OpenApi)]
#[openapi(info(
    title = "Tidemark queries",
    description = "Read models, live updates and the audit trail. Send the highest `Tidemark` that you have \
                   seen with any query, and the answer reflects at least that position."
))]
struct Api;

/// The page of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// `next` of the previous page. Without it, the list starts at its beginning.
    cursor: Option<String>,
    /// The number of items on the page.
    limit: Option<i64>,
}

/// All routes, and their description.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(audit::router())
        .merge(identity::router())
        .merge(market::router())
}
