//! An auction as a live update.

use axum::extract::State;
use axum::response::Response;
use tidemark_platform::http::Path;
use tidemark_read_models::market::auction::Auction;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::routes::live::Beginning;

/// Follow an auction live
///
/// Sends server-sent events named `state`, whose data is the auction's document: the first at once, unless
/// `Last-Event-ID` says that the client has it, and one after each change. The stream stays open when the auction is closed
/// or cancelled: close it when you have seen enough. The id of an event
/// can be sent as `Last-Event-ID`, which a browser does by itself, and as `Tidemark`. The first line is `retry:`,
/// after how many milliseconds to connect again. Before the process stops, it sends an event named `end` with
/// the data `{"code":"shutting_down"}`: connect again. An end without this event means that the connection broke.
/// Whoever accepts `text/event-stream` and nothing else, as the `EventSource` of a browser does, is not answered 429 or 503,
/// after which it would never come back, but 200 with `retry:` and the event `end`, whose data is the problem. If its
/// `Last-Event-ID` is of an event that the log has lost, this event has an empty id, so that it begins anew.
#[utoipa::path(
    get,
    path = "/v1/auctions/{id}/live",
    operation_id = "follow_auction",
    tag = "auctions",
    params(
        ("id" = Uuid, Path, description = "The auction"),
    ),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "Live updates", example = json!(
        "retry: 3000\n\nid: 1.4711\nevent: state\ndata: {\"id\":\"0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77\",\"status\":\"open\"}\n\n"
    )))
)]
pub(super) async fn live(
    State(app): State<App>,
    beginning: Beginning,
    Path(id): Path<Uuid>,
) -> Result<Response, Error> {
    let updates = &app.live_auctions;
    beginning.follow::<Auction>(&app, updates, id, None).await
}
