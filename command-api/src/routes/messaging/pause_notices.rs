//! The route by which a reactor has owners told that their tasks were paused.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::messaging::notification::{About, Raise, TellOfPause};
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::notification::DedupeKey;
use tidemark_events::tasks::task::PauseReason;
use tidemark_events::{DigestId, MessageId, NotificationId, TaskId, UserId};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::phones::text_limits;
use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tell))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct PauseOfTask {
    /// The owner of the task.
    user_id: Uuid,
    /// Why it was paused.
    reason: PauseReason,
}

/// Tell the owner of a task that it was paused
///
/// Owners who paused it themselves are not told. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/pause-notices",
    operation_id = "tell_of_paused_task",
    tag = "services",
    params(("id" = Uuid, Path, description = "The task")),
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<TellOfPause>)
)]
async fn tell(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<PauseOfTask>,
) -> Result<Response, Problem> {
    let notification_id = new_id();
    let command = Raise {
        notification_id: NotificationId(notification_id),
        message_id: MessageId(new_id()),
        text_id: MessageId(new_id()),
        user_id: UserId(body.user_id),
        category: Category::TaskPaused,
        about: About::Task {
            task_id: TaskId(id),
            reason: body.reason,
        },
        dedupe_key: DedupeKey::try_from(id.to_string()).map_err(Problem::internal)?,
        mails_per_hour_max: app.config.mail.per_hour_max,
        mail_locale: app.mail_locale.clone(),
        text_limits: text_limits(&app.config.sms),
        ends_soon: TimeDelta::seconds(app.config.market.ends_soon_s),
        digest_id: DigestId(new_id()),
        digest_window: TimeDelta::seconds(app.config.mail.digest_s),
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, notification_id, TellOfPause(command), location)
        .await
}
