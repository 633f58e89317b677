//! The templates that operators have published. Only operators see them.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::messaging::template::{Row, Template};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::require_operator;
use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards};
use crate::routes::Paging;

page_schema!(TemplatePage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List the templates of messages (for operators)
///
/// Those that are retired are listed, too. Where there is none for a category, messages say what they say without one.
#[utoipa::path(
    get,
    path = "/v1/operations/templates",
    operation_id = "list_templates",
    tag = "messages",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = TemplatePage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    require_operator(&user)?;
    let limit = app.limit(paging.limit)?;
    let scope = "templates";
    let (before, token) = app.resume(scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Template>()];
    let lists = &app.pools.lists;
    let query = || {
        let select = async {
            let all = query_all_shards!(
                String,
                "template",
                r#"
                select r.doc::text
                  from template_rows r
                 where r.generation = s.generation
                   and r.id < $1
                 order by r.id desc
                 limit $2
                "#,
                before,
                limit + 1,
            );
            all.fetch_one(&**lists).await
        };
        lists.in_turn(client, select)
    };
    let found = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(found, limit, (&app.cursors, scope), id_of)
}
