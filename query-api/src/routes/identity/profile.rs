//! Who asks, as the system knows them: the one place where personal data is opened, for its subject.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tidemark_events::identity::user::Role;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Json, Problem, etag};
use tidemark_platform::token::Tidemark;
use tidemark_read_models::identity::profile;
use tidemark_read_models::identity::profile::Row;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::One;
use crate::app::App;
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::watch::Rows;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(me))
}

/// A user, for themselves.
#[derive(Debug, Serialize, ToSchema)]
struct Profile {
    /// The user.
    id: Uuid,
    /// None once it is erased.
    email: Option<String>,
    /// None once it is erased.
    display_name: Option<String>,
    /// What the user may do.
    #[schema(value_type = Vec<String>, example = json!(["buyer", "seller"]))]
    roles: BTreeSet<Role>,
    /// When the user joined.
    registered_at: DateTime<Utc>,
    /// Of the stream.
    version: i64,
}

/// My profile
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "users",
    security(("user" = [])),
    responses((status = 200, body = Profile), Problem)
)]
async fn me(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
) -> Result<Response, Error> {
    let found = app.settled(token, [Rows::one::<profile::Profile>(user.id)], || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from profile_rows r
                        where r.generation = s.generation
                          and r.id = $1
                   ) as "items!"
              from serving_shards s
             where s.read_model = 'profile'
               and s.shard = shard_of($1, s.shards)
            "#,
            user.id,
        )
        .fetch_one(&app.pool)
    });
    let One {
        token, document, ..
    } = found.await?.one()?;
    let row: Row = serde_json::from_slice(&document)?;
    let profile = Profile {
        id: row.id.0,
        email: app.keys.unseal("email", &row.email).await?,
        display_name: app.keys.unseal("display_name", &row.display_name).await?,
        roles: row.roles,
        registered_at: row.registered_at,
        version: row.version,
    };
    let tag = etag(row.version.unsigned_abs());
    Ok((token, [tag], Json(profile)).into_response())
}
