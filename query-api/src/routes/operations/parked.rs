//! The parked rows.

use axum::extract::State;
use axum::response::Response;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::operations::parked;
use tidemark_read_models::operations::parked::ParkedRow;

use super::page;
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;

/// Where this list is, which its cursors belong to.
const PATH: &str = "/v1/operations/parked-rows";

page_schema!(ParkedRowPage of ParkedRow);

/// List the rows to which an event could not be applied (for operators)
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "list_parked_rows",
    tag = "operations",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = ParkedRowPage))
)]
pub(super) async fn list(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Response, Error> {
    let list = |after, limit| parked::list(&app.pools.operations, after, limit);
    page(&app, (&user, token), (PATH, paging), list, ParkedRow::place).await
}
