//! The route by which users choose how they are notified.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::messaging::preferences::Change;
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::{PreferencesId, UserId};
use tidemark_platform::http::{Json, Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(change))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "clients know each of them by its name"
)]
struct ChosenChannels {
    /// The category of notifications that the channels are chosen for.
    category: Category,
    /// Whether you find notifications of the category in your inbox.
    #[schema(example = true)]
    inbox: bool,
    /// Whether you are sent them as mails, too.
    #[schema(example = false)]
    mail: bool,
    /// Whether you are sent them as texts. That needs a telephone number that is verified.
    #[serde(default)]
    #[schema(default = false, example = false)]
    sms: bool,
    /// Whether mails of the category come together, in one that lists what you were told of for a day.
    #[serde(default)]
    #[schema(default = false, example = false)]
    digest: bool,
}

/// Choose how you are notified of something
///
/// The answer has the id and the version of your preferences. Only the user may do this; for everybody else the path
/// does not exist.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/preferences",
    operation_id = "change_preferences",
    tag = "notifications",
    params(("id" = Uuid, Path, description = "The user: yourself")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Change>)
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<ChosenChannels>,
) -> Result<Response, Problem> {
    let user_id = UserId(id);
    let command = Change {
        user_id,
        category: body.category,
        channels: Channels {
            inbox: body.inbox,
            mail: body.mail,
            sms: body.sms,
            digest: body.digest,
        },
    };
    app.change(&caller, PreferencesId::of(user_id).0, command)
        .await
}
