//! The timelines of the log.

use axum::extract::State;
use axum::response::Response;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::operations::timelines;
use tidemark_read_models::operations::timelines::Timeline;

use super::page;
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;

/// Where this list is, which its cursors belong to.
const PATH: &str = "/v1/operations/timelines";

page_schema!(TimelinePage of Timeline);

/// List the timelines of the log, the present one first (for operators)
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "list_timelines",
    tag = "operations",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = TimelinePage))
)]
pub(super) async fn list(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Response, Error> {
    let list = |before, limit| timelines::list(&app.pools.operations, before, limit);
    page(
        &app,
        (&user, token),
        (PATH, paging),
        list,
        |it: &Timeline| it.id,
    )
    .await
}
