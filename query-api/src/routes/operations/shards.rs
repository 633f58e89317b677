//! The shards of all read models.

use axum::extract::State;
use axum::response::Response;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::operations::shards;
use tidemark_read_models::operations::shards::ShardStatus;

use super::page;
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;

/// Where this list is, which its cursors belong to.
const PATH: &str = "/v1/operations/read-models";

page_schema!(ShardPage of ShardStatus);

/// List how far the shards of all read models are (for operators)
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "list_read_models",
    tag = "operations",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = ShardPage))
)]
pub(super) async fn list(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Response, Error> {
    let list = |after, limit| shards::list(&app.pools.operations, after, limit);
    page(
        &app,
        (&user, token),
        (PATH, paging),
        list,
        |it: &ShardStatus| (it.name.clone(), it.generation, it.shard),
    )
    .await
}
