//! The route by which users choose the picture that they are seen by.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::media::avatar::ChooseAvatar;
use tidemark_events::{MediaId, UserId};
use tidemark_platform::http::{Json, Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::media::periods;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(choose))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ChosenAvatar {
    /// The id of a picture that you have uploaded as `avatar`. Leave it out to have none.
    avatar: Option<Uuid>,
}

/// Choose the picture that you are seen by
///
/// It takes the place of the one before, which nobody sees any more, and which is deleted a day later. Only the user may do this; for
/// everybody else the path does not exist.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/avatar",
    operation_id = "choose_avatar",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user: yourself")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<ChooseAvatar>)
)]
async fn choose(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<ChosenAvatar>,
) -> Result<Response, Problem> {
    let command = ChooseAvatar {
        user_id: UserId(id),
        avatar: body.avatar.map(MediaId),
        periods: periods(&app.config.media),
    };
    app.change(&caller, id, command).await
}
