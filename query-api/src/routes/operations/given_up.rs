//! The actions that were given up.

use axum::extract::State;
use axum::response::Response;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::operations::given_up;
use tidemark_read_models::operations::given_up::GivenUpAction;

use super::page;
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;

/// Where this list is, which its cursors belong to.
const PATH: &str = "/v1/operations/actions";

page_schema!(GivenUpActionPage of GivenUpAction);

/// List the actions of reactors that were given up (for operators)
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "list_actions",
    tag = "operations",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = GivenUpActionPage))
)]
pub(super) async fn list(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Response, Error> {
    let list = |after, limit| given_up::list(&app.pools.operations, after, limit);
    page(
        &app,
        (&user, token),
        (PATH, paging),
        list,
        GivenUpAction::place,
    )
    .await
}
