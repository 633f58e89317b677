//! An auction as a live update: its document, each time it has changed. A client is sent documents, not
//! events: some may be skipped, but none is older than the one before.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::server::ClientAddress;
use tidemark_platform::shares::Held;
use tidemark_platform::shutdown::Shutdown;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::market::auction::Auction;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::error::{Error, NamedBy, malformed_last_event_id};
use crate::freshness::{Fetched, QueriedShards, on_timeline};
use crate::live::LiveUpdate;

/// The data of the event that ends a stream, which happens when the process stops.
const END: &str = r#"{"code":"shutting_down"}"#;
const LAST_EVENT_ID: &str = "last-event-id";
/// Has nginx and its like hand each event on at once.
const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

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
    Tidemark(token): Tidemark,
    Shutdown(shutdown): Shutdown,
    client: ClientAddress,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Error> {
    let seen = last_event_id(&headers)?;
    let max = app.limits.sse_clients_per_address_max;
    let held = app.live_update_addresses.take(client.0, max);
    let held = held.ok_or(Error::TooManyOfAddress(max))?;
    let permit = Arc::clone(&app.live_update_permits).try_acquire_owned();
    let permit = permit.map_err(|_| Error::TooManyClients)?;
    // The client follows before the first read, so that no change falls between the two.
    let changes = app.followers.follow(id);
    let (reflected, update) = first_update(&app, id, token, seen, &changes).await?;
    let mark = update.mark();

    let keep_alive = Duration::from_secs(app.limits.sse_keep_alive_s);
    let retry = Duration::from_millis(app.limits.sse_retry_ms);
    let client = Client {
        next: Some(update),
        seen,
        changes,
        shutdown,
        _places: (held, permit),
    };
    let keep_alive = KeepAlive::new().interval(keep_alive);
    let events = Sse::new(client.into_events(retry)).keep_alive(keep_alive);
    Ok((reflected, mark, [UNBUFFERED], events).into_response())
}

/// The update that a client begins with, and what it reflects. Of many who come at once, those who wait are read
/// together; whoever comes to an auction that others follow is given what they have.
async fn first_update(
    app: &App,
    id: Uuid,
    token: Option<Token>,
    seen: Option<Token>,
    changes: &watch::Receiver<Option<Arc<LiveUpdate>>>,
) -> Result<(Token, Arc<LiveUpdate>), Error> {
    let known = changes.borrow().clone();
    let known = known.filter(|newest| newest.reaches(token) && newest.reaches(seen));
    if let Some(known) = known {
        return Ok((known.token(), known));
    }
    let fetched = fetch(app, token, id).await?;
    refuse_unsent(app, seen, &fetched).await?;
    let reflected = fetched.token();
    let update = fetched.items.into_iter().next().ok_or(Error::NotFound)?;
    app.followers.publish(vec![(id, update.clone())]);
    Ok((reflected, Arc::new(update)))
}

/// The newest update that the client has, if it has any.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|text| text.parse().ok());
    token.map(Some).ok_or_else(malformed_last_event_id)
}

/// Refuses the id of an event that nobody can have sent yet, and of one that the log has lost.
async fn refuse_unsent(
    app: &App,
    seen: Option<Token>,
    fetched: &Fetched<LiveUpdate>,
) -> Result<(), Error> {
    let Some(seen) = seen else {
        return Ok(());
    };
    let named_by = NamedBy::LastEventId;
    let seen = on_timeline(&app.pools.prompt, seen, named_by, fetched.timeline).await?;
    if seen.position > fetched.head {
        return Err(Error::FuturePosition(named_by));
    }
    Ok(())
}

/// A client that follows an auction.
struct Client {
    /// The update that is sent next, if it is newer than what the client has.
    next: Option<Arc<LiveUpdate>>,
    /// The newest update that the client has.
    seen: Option<Token>,
    changes: watch::Receiver<Option<Arc<LiveUpdate>>>,
    shutdown: CancellationToken,
    _places: (Held<IpAddr>, OwnedSemaphorePermit),
}

impl Client {
    /// When to connect again, then each newer document, and at last that this is the end.
    fn into_events(self, retry: Duration) -> impl Stream<Item = Result<Event, Infallible>> {
        let updates = stream::unfold(self, |mut client| async move {
            let update = client.newer().await?;
            let id = update.token().to_string();
            let event = Event::default().event("state").id(id);
            Some((event.data(&update.document), client))
        });
        let end = Event::default().event("end").data(END);
        stream::iter([Event::default().retry(retry)])
            .chain(updates)
            .chain(stream::iter([end]))
            .map(Ok)
    }

    /// The next update that is newer than what the client has; `None` when the process shuts down.
    async fn newer(&mut self) -> Option<Arc<LiveUpdate>> {
        loop {
            let next = self.next.take();
            if let Some(update) = next.filter(|update| update.is_newer_than(self.seen)) {
                self.seen = Some(update.token());
                return Some(update);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = self.changes.changed() => {
                    changed.ok()?;
                    self.next.clone_from(&self.changes.borrow_and_update());
                }
            }
        }
    }
}

/// The document as it is now, fresh enough for `token`.
async fn fetch(app: &App, token: Option<Token>, id: Uuid) -> Result<Fetched<LiveUpdate>, Error> {
    let shard = [QueriedShards::of_row::<Auction>(id)];
    let deadline = app.freshness.wait_for_shards(token, &shard).await;
    let wait = Duration::from_millis(app.limits.sse_wait_ms);
    let read = || async {
        let read = timeout(wait, app.first_documents.read(id)).await;
        read.map_err(|_| Error::TooManyBegin)?
    };
    app.freshness
        .repeat_before(deadline, token, &shard, read)
        .await
}
