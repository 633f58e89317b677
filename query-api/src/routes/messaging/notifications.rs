//! The notifications in the inbox of the asking user, the newest first. Nobody else reads them.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::messaging::notification::{Notification, Row, Status};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards};
use crate::routes::is_no_filter;

page_schema!(NotificationPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(mine))
}

/// The notifications that are asked for.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only notifications with this status. Without it, all that are not archived.
    status: Option<Status>,
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(example = "WzEsNDcxMSwiMDE5OWIzYTQiXZ0s3m")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// List my notifications
#[utoipa::path(
    get,
    path = "/v1/me/notifications",
    operation_id = "list_my_notifications",
    tag = "notifications",
    params(Filter),
    security(("user" = [])),
    responses((status = 200, body = NotificationPage))
)]
async fn mine(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(filter.limit)?;
    let of_filter = serde_json::to_string(&filter)?;
    let scope = format!("notifications of user {} {of_filter}", user.id);
    let (before, token) = app.resume(&scope, filter.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Notification>()];
    let lists = &app.pools.lists;
    let query = || {
        let select = select(lists, user.id, filter.status, before, limit + 1);
        lists.in_turn(client, select)
    };
    let found = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(found, limit, (&app.cursors, &scope), id_of)
}

/// Each shape of the filter has a statement and an index.
async fn select(
    pool: &PgPool,
    user_id: Uuid,
    status: Option<Status>,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    macro_rules! select_of {
        ($status:literal $(, $argument:expr)*) => {
            query_all_shards!(
                String,
                "notification",
                r#"
                select r.doc::text
                  from notification_rows r
                 where r.generation = s.generation
                   and r.user_id = $1
                   and r.id < $2
                   and "# $status r#"
                 order by r.id desc nulls last
                 limit $3
                "#,
                user_id,
                before,
                limit,
                $($argument),*
            )
        };
    }
    if let Some(status) = status {
        let of_status = select_of!("r.status = $4", status.name());
        return of_status.fetch_one(pool).await;
    }
    let kept = select_of!("r.status <> 'archived'");
    kept.fetch_one(pool).await
}
