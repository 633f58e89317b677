//! The inbox of the asking user as a live update.

use axum::extract::State;
use axum::response::Response;
use tidemark_platform::auth::LoggedIn;
use tidemark_read_models::messaging::inbox::Inbox;

use crate::app::App;
use crate::error::Error;
use crate::routes::live::{Beginning, OwnSession};

/// Follow my inbox live
///
/// Sends server-sent events as the live updates of an auction do, with the document of `GET /v1/me/inbox`: at once, unless
/// `Last-Event-ID` says that the client has it, and whenever a notification comes, or is read or archived, here or elsewhere. The list
/// of notifications is then at least as new if the id of the event is sent with its query as `Tidemark`. A user may have a few of these
/// open at a time (429). The stream ends when the access token expires, with an event named `end` and the data
/// `{"code":"invalid_token"}`, and soon after the session is over (`{"code":"logged_out"}`): connect again with a fresh access token.
#[utoipa::path(
    get,
    path = "/v1/me/inbox/live",
    operation_id = "follow_inbox",
    tag = "notifications",
    security(("user" = [])),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "Live updates", example = json!(
        "retry: 3000\n\nid: 1.4711\nevent: state\ndata: {\"id\":\"0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77\",\"unread\":3,\"version\":7}\n\n"
    )))
)]
pub(super) async fn live(
    State(app): State<App>,
    user: LoggedIn,
    beginning: Beginning,
) -> Result<Response, Error> {
    let session = OwnSession::new(&app, &user)?;
    let updates = &app.live_inboxes;
    let following = beginning.follow::<Inbox>(&app, updates, user.user.id, Some(session));
    following.await
}
