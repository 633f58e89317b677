//! How a task fared, day by day.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::tasks::task_health::{Row, TaskHealth};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::own_tasks;
use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards};
use crate::routes::Paging;

page_schema!(TaskHealthPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List how a task of mine fared on each day, the newest day first
///
/// Days on which nothing happened are left out.
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/health",
    operation_id = "list_task_health",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task"), Paging),
    security(("user" = [])),
    responses((status = 200, body = TaskHealthPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("health of {id}");
    let (before, token) = app.resume(&scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    own_tasks::find_own(&app, &user, token, id).await?;
    let shards = [QueriedShards::all::<TaskHealth>()];
    let days = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "task_health",
            r#"
            select r.doc::text
              from task_health_rows r
             where r.generation = s.generation
               and r.task_id = $1
               and r.id < $2
             order by r.id desc nulls last
             limit $3
            "#,
            id,
            before,
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    DocumentPage::new(days.await?, limit, (&app.cursors, &scope), id_of)
}
