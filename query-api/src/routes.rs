//! The routes: one folder per context, one file per noun. A route states what it reads and who may read
//! it; [`crate::freshness`] sees to it that the answer is fresh enough.

mod audit;
mod description;
mod identity;
mod live;
mod market;
mod media;
mod messaging;
mod operations;
mod tasks;

use garde::Validate;
use serde::Deserialize;
use tidemark_platform::config;
use utoipa::IntoParams;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The role whose holders see how the system is, and what was sent to people.
const OPERATOR: &str = "operator";

/// The page of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[param(example = "WzEsNDcxMSwiMDE5OWIzYTQiXZ0s3m")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// A cursor belongs to a filter, of which the place and the size of a page are no part. With `skip_serializing`
/// alone the description would not have them either.
fn is_no_filter<T>(_: &T) -> bool {
    true
}

/// All routes.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(audit::router())
        .merge(identity::router())
        .merge(market::router())
        .merge(media::router())
        .merge(messaging::router())
        .merge(operations::router())
        .merge(tasks::router())
}

/// The description of this API for clients, with its `limits`.
#[must_use]
pub fn api(limits: &config::Query) -> OpenApi {
    description::of(router().into_openapi(), limits)
}
