//! An auction as a live update: its document, again and again as it changes. States may be skipped and
//! are never taken back; nobody is told of an event.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use sqlx::PgPool;
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::shutdown::Shutdown;
use tidemark_platform::token::{Tidemark, Token};
use tidemark_read_models::market::auction::Auction;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::watch::{Rows, State};

const LAST_EVENT_ID: &str = "last-event-id";

/// An auction, live
///
/// Server-sent events named `state`, whose data is the auction's document. Their ids are good for
/// `Last-Event-ID`, which a browser sends by itself, and for `Tidemark`.
#[utoipa::path(
    get,
    path = "/v1/auctions/{id}/live",
    tag = "auctions",
    params(
        ("id" = Uuid, Path),
        ("Last-Event-ID" = Option<String>, Header, description = "Only what is newer than this."),
    ),
    responses((status = 200, body = String, content_type = "text/event-stream"), Problem)
)]
pub(super) async fn live(
    Extract(app): Extract<App>,
    Tidemark(token): Tidemark,
    Shutdown(shutdown): Shutdown,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Error> {
    let seen = last_event_id(&headers)?;
    let place = Arc::clone(&app.live_places).try_acquire_owned();
    let place = place.map_err(|_| Error::TooManyClients)?;
    // Before the first look, so that nothing falls between the two.
    let changes = app.watch.follow(id);
    let found = look(&app, token, id).await?;
    let reflected = found.token();
    let state = found.items.into_iter().next().ok_or(Error::NotFound)?;

    let refresh = Duration::from_secs(app.limits.sse_refresh_s);
    let keep_alive = Duration::from_secs(app.limits.sse_keep_alive_s);
    let live = Live {
        next: Some(Arc::new(state)),
        seen,
        id,
        changes,
        refresh: interval_at(Instant::now() + refresh, refresh),
        shutdown,
        app,
        _place: place,
    };
    let keep_alive = KeepAlive::new().interval(keep_alive);
    let events = Sse::new(live.events()).keep_alive(keep_alive);
    Ok((reflected, events).into_response())
}

/// The newest state that the client has.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|text| text.parse().ok());
    let detail = "Last-Event-ID is the id of an event of this stream.";
    token
        .map(Some)
        .ok_or_else(|| Problem::bad_request("invalid_last_event_id", detail))
}

/// One client.
struct Live {
    app: App,
    id: Uuid,
    /// The state to consider next.
    next: Option<Arc<State>>,
    /// The last state that the client has.
    seen: Option<Token>,
    changes: watch::Receiver<Option<Arc<State>>>,
    refresh: Interval,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Live {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut live| async move {
            let state = live.newer().await?;
            let id = live.seen.map(|token| token.to_string()).unwrap_or_default();
            let event = Event::default().event("state").id(id).data(&state.document);
            Some((Ok(event), live))
        })
    }

    /// The next state that is newer than what the client has; none when it is time to end.
    async fn newer(&mut self) -> Option<Arc<State>> {
        loop {
            if let Some(state) = self.next.take().filter(|state| self.is_news(state)) {
                self.seen = Some(state.token());
                return Some(state);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = self.changes.changed() => {
                    changed.ok()?;
                    self.next.clone_from(&self.changes.borrow_and_update());
                }
                // In a box, which is there only while it looks.
                _ = self.refresh.tick() => self.next = Box::pin(self.refreshed()).await,
            }
        }
    }

    fn is_news(&self, state: &State) -> bool {
        self.seen
            .is_none_or(|seen| seen.timeline != state.timeline || seen.position < state.position)
    }

    /// The state as it is now; trouble is for the next time.
    async fn refreshed(&self) -> Option<Arc<State>> {
        let found = look(&self.app, None, self.id).await;
        let found = found
            .inspect_err(|error| tracing::warn!(%error, "cannot refresh"))
            .ok()?;
        found.items.into_iter().next().map(Arc::new)
    }
}

async fn look(app: &App, token: Option<Token>, id: Uuid) -> Result<Snapshot<State>, Error> {
    let rows = [Rows::one::<Auction>(id)];
    app.settled(token, rows, || select(&app.pool, id)).await
}

async fn select(pool: &PgPool, id: Uuid) -> sqlx::Result<Snapshot<State>> {
    let seen = sqlx::query!(
        r#"
        select s.timeline as "timeline!",
               s.head as "head!",
               s.position as "position!",
               s.blocked_at,
               r.position as "changed_at?",
               r.doc::text as "document?"
          from serving_shards s
          left join auction_rows r
            on r.generation = s.generation
           and r.id = $1
         where s.read_model = 'auction'
           and s.shard = shard_of($1, s.shards)
        "#,
        id,
    )
    .fetch_one(pool)
    .await?;
    let found = seen.changed_at.zip(seen.document);
    let state = found.map(|(position, document)| State {
        timeline: seen.timeline,
        position,
        document,
    });
    Ok(Snapshot {
        timeline: seen.timeline,
        head: seen.head,
        position: seen.position,
        blocked_at: seen.blocked_at,
        items: state.into_iter().collect(),
    })
}
