//! The profile of the asking user, which is unsealed for its subject alone.

use std::collections::BTreeSet;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tidemark_events::Sealed;
use tidemark_events::identity::user::Role;
use tidemark_platform::auth::User;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::identity::profile;
use tidemark_read_models::identity::profile::Row;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::Document;
use crate::error::Error;
use crate::freshness::{ParkedMark, QueriedShards, query_shard_of_row};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(me))
}

/// A user, as only they may see themselves.
#[derive(Debug, Serialize, ToSchema)]
struct Profile {
    /// The id of the user.
    id: Uuid,
    /// The e-mail address; null once it is erased.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// The name that others see; null once it is erased.
    #[schema(example = "Ada Lovelace")]
    display_name: Option<String>,
    /// The media that others see the user by; null if there are none. The bytes are at `/v1/media/{avatar}/{variant}`.
    avatar: Option<Uuid>,
    /// The telephone number that texts are sent to; null if none is verified.
    #[schema(example = "+4915123456789")]
    phone: Option<String>,
    /// The number that awaits the code of a text; null if none does.
    awaited_phone: Option<AwaitedPhone>,
    /// The roles, which say what the user may do.
    #[schema(example = json!(["buyer", "seller"]))]
    roles: BTreeSet<Role>,
    /// When the user joined.
    registered_at: DateTime<Utc>,
    /// The version of the stream of the user.
    #[schema(minimum = 1, example = 7)]
    version: i64,
}

/// A telephone number that is the user's once the code is sent.
#[derive(Debug, Serialize, ToSchema)]
struct AwaitedPhone {
    /// The number; null once it is erased.
    #[schema(example = "+4915123456789")]
    number: Option<String>,
    /// After this time the code proves nothing.
    expires_at: DateTime<Utc>,
}

/// Get my profile
#[utoipa::path(
    get,
    path = "/v1/me",
    operation_id = "get_profile",
    tag = "users",
    security(("user" = [])),
    responses((status = 200, body = Profile))
)]
async fn me(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
) -> Result<Document, Error> {
    let (token, mark, row) = find(&app, token, user.id).await?;
    let unseal = async |number: &Sealed| app.subject_keys.unseal("phone_number", number).await;
    let phone = match &row.phone {
        Some(number) => unseal(number).await?,
        None => None,
    };
    let awaited_phone = match &row.awaited {
        Some(awaited) => Some(AwaitedPhone {
            number: unseal(&awaited.number).await?,
            expires_at: awaited.expires_at,
        }),
        None => None,
    };
    let profile = Profile {
        phone,
        awaited_phone,
        id: row.id.0,
        email: app.subject_keys.unseal("email", &row.email).await?,
        display_name: app
            .subject_keys
            .unseal("display_name", &row.display_name)
            .await?,
        avatar: row.avatar.map(|it| it.0),
        roles: row.roles,
        registered_at: row.registered_at,
        version: row.version,
    };
    Document::made(token, mark, &profile)
}

/// What is known of the user with this id, sealed.
pub(super) async fn find(
    app: &App,
    token: Option<Token>,
    id: Uuid,
) -> Result<(Token, Option<ParkedMark>, Row), Error> {
    let shard = [QueriedShards::of_row::<profile::Profile>(id)];
    let found = app.freshness.fetch(token, shard, || {
        query_shard_of_row!(
            String,
            "profile",
            r#"
            select r.doc::text
              from profile_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    let document = Document::from_fetched(found.await?)?;
    let row = serde_json::from_slice(&document.json)?;
    Ok((document.token, document.mark, row))
}
