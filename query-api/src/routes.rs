//! The routes: one folder a context, one file a noun. Each says what it reads and who may; what makes
//! an answer recent enough is in [`crate::snapshot`].

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
    description = "Read models, live updates and the audit trail. Send the highest `Tidemark` you have \
                   seen with any query, and its answer reflects at least that."
))]
struct Api;

/// Which page of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items on the page.
    limit: Option<i64>,
}

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(audit::router())
        .merge(identity::router())
        .merge(market::router())
}
