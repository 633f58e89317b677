//! The messages to people and what became of them, the newest first. Only operators see them.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tidemark_platform::auth::User;
use tidemark_platform::http::{FieldError, Problem, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::messaging::delivery::{Delivery, Row, Status};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::address::AddressHash;
use super::require_operator;
use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards};
use crate::routes::is_no_filter;

page_schema!(DeliveryPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The messages that are asked for.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only messages to this user. It cannot be combined with another filter.
    user_id: Option<Uuid>,
    /// Only messages with this status. It cannot be combined with another filter.
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

/// What is looked for, each of which has an index.
enum Of<'a> {
    Everybody,
    Address(&'a str),
    User(Uuid),
    Status(Status),
}

impl<'a> Of<'a> {
    /// # Errors
    /// If more than one thing is asked for: nobody has needed that, and each combination would need an index.
    fn new(filter: &Filter, address: Option<&'a str>) -> Result<Self, Problem> {
        let refused = |name: &'static str| {
            let detail = "cannot be combined with another filter";
            Problem::invalid(vec![FieldError::parameter(name, detail)])
        };
        match (address, filter.user_id, filter.status) {
            (None, None, None) => Ok(Self::Everybody),
            (Some(address), None, None) => Ok(Self::Address(address)),
            (None, Some(user_id), None) => Ok(Self::User(user_id)),
            (None, None, Some(status)) => Ok(Self::Status(status)),
            (_, _, Some(_)) => Err(refused("status")),
            (Some(_), Some(_), None) => Err(refused("user_id")),
        }
    }
}

/// List the messages to people (for operators)
///
/// The newest come first. No address and no number is shown, but its keyed hash.
#[utoipa::path(
    get,
    path = "/v1/operations/deliveries",
    operation_id = "list_deliveries",
    tag = "messages",
    params(Filter),
    security(("user" = [])),
    responses((status = 200, body = DeliveryPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    AddressHash(address): AddressHash,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    require_operator(&user)?;
    let of = Of::new(&filter, address.as_deref())?;
    let limit = app.limit(filter.limit)?;
    let of_filter = serde_json::to_string(&filter)?;
    let scope = format!("deliveries of {address:?} {of_filter}");
    let (before, token) = app.resume(&scope, filter.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Delivery>()];
    let lists = &app.pools.lists;
    let query = || lists.in_turn(client, select(lists, &of, before, limit + 1));
    let found = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(found, limit, (&app.cursors, &scope), id_of)
}

/// Each shape of the filter has a statement and an index, whose order is that of the statement.
async fn select(
    pool: &PgPool,
    of: &Of<'_>,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    macro_rules! select_of {
        ($of:literal $(, $argument:expr)*) => {
            query_all_shards!(
                String,
                "delivery",
                r#"
                select r.doc::text
                  from delivery_rows r
                 where r.generation = s.generation
                   and r.id < $1
                   "# $of r#"
                 limit $2
                "#,
                before,
                limit,
                $($argument),*
            )
        };
    }
    match of {
        Of::Everybody => select_of!("order by r.id desc").fetch_one(pool).await,
        Of::Address(hash) => {
            let of_address = select_of!(
                "and r.address_hash = $3 order by r.id desc nulls last",
                *hash
            );
            of_address.fetch_one(pool).await
        }
        Of::User(id) => {
            let of_user = select_of!("and r.user_id = $3 order by r.id desc nulls last", *id);
            of_user.fetch_one(pool).await
        }
        Of::Status(status) => {
            let of_status = select_of!(
                "and r.status = $3 order by r.id desc nulls last",
                status.name()
            );
            of_status.fetch_one(pool).await
        }
    }
}
