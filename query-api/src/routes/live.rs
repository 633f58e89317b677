//! What all live updates have in common: a client is sent a document, each time it has changed. Clients are sent documents, not
//! events: some may be skipped, but none is older than the one before.

mod ends;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tidemark_platform::http::Problem;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::shares::Held;
use tidemark_platform::shutdown::Shutdown;
use tidemark_platform::tidemark::{Tidemark, Token};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use ends::OwnSession;

use ends::End;

use crate::app::App;
use crate::error::{Error, NamedBy, malformed_last_event_id};
use crate::freshness::{Fetched, QueriedShards, on_timeline};
use crate::live::{Followed, LiveUpdate, Updates};

const LAST_EVENT_ID: &str = "last-event-id";
/// Has nginx and its like hand each event on at once.
const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// A client that begins to follow a document, as its request says.
pub(super) struct Beginning {
    token: Option<Token>,
    /// The newest update that the client has, if it has any.
    seen: Option<Token>,
    address: IpAddr,
    shutdown: CancellationToken,
}

impl FromRequestParts<App> for Beginning {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Tidemark(token) = Tidemark::from_request_parts(parts, app).await?;
        let Shutdown(shutdown) = Shutdown::from_request_parts(parts, app).await?;
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, app).await?;
        Ok(Self {
            token,
            seen: last_event_id(&parts.headers)?,
            address,
            shutdown,
        })
    }
}

impl Beginning {
    /// Sends this client the document with this id and each newer one, until the process stops, or the session is over whose user
    /// alone may see them.
    ///
    /// # Errors
    /// If as many live updates are open as may be, there is no such document, or it is not fresh enough in time.
    pub(super) async fn follow<M: Followed>(
        self,
        app: &App,
        updates: &Updates,
        id: Uuid,
        session: Option<OwnSession>,
    ) -> Result<Response, Error> {
        let max = app.limits.sse_clients_per_address_max;
        let held = app.live_update_addresses.take(self.address, max);
        let held = held.ok_or(Error::TooManyOfAddress(max))?;
        let permit = Arc::clone(&app.live_update_permits).try_acquire_owned();
        let permit = permit.map_err(|_| Error::TooManyClients)?;
        // The client follows before the first read, so that no change falls between the two.
        let changes = updates.followers.follow(id);
        let seen = self.seen;
        let first = self.first_update::<M>(app, updates, id, &changes);
        let (reflected, update) = first.await?;
        let mark = update.mark();

        let keep_alive = Duration::from_secs(app.limits.sse_keep_alive_s);
        let retry = Duration::from_millis(app.limits.sse_retry_ms);
        let client = Client {
            next: Some(update),
            seen,
            changes,
            shutdown: self.shutdown,
            session: session.map(Box::new),
            _places: (held, permit),
        };
        let keep_alive = KeepAlive::new().interval(keep_alive);
        let events = Sse::new(client.into_events(retry)).keep_alive(keep_alive);
        Ok((reflected, mark, [UNBUFFERED], events).into_response())
    }

    /// The update that the client begins with, and what it reflects. Of many who come at once, those who wait are read
    /// together; whoever comes to a document that others follow is given what they have, unless something of its shard is
    /// parked: then the document may have been parked since, or be parked no longer.
    async fn first_update<M: Followed>(
        &self,
        app: &App,
        updates: &Updates,
        id: Uuid,
        changes: &watch::Receiver<Option<Arc<LiveUpdate>>>,
    ) -> Result<(Token, Arc<LiveUpdate>), Error> {
        let known = changes.borrow().clone();
        let known = known.filter(|newest| newest.reaches(self.token) && newest.reaches(self.seen));
        let known = known.filter(|newest| {
            newest.parked_at.is_none() && !app.freshness.is_parked_in_shard_of::<M>(id)
        });
        if let Some(known) = known {
            return Ok((known.token(), known));
        }
        let fetched = fetch::<M>(app, updates, self.token, id).await?;
        self.refuse_unsent(app, &fetched).await?;
        let reflected = fetched.token();
        let update = fetched.items.into_iter().next().ok_or(Error::NotFound)?;
        updates.followers.publish(vec![(id, update.clone())]);
        Ok((reflected, Arc::new(update)))
    }

    /// Refuses the id of an event that nobody can have sent yet, and of one that the log has lost.
    async fn refuse_unsent(&self, app: &App, fetched: &Fetched<LiveUpdate>) -> Result<(), Error> {
        let Some(seen) = self.seen else {
            return Ok(());
        };
        let named_by = NamedBy::LastEventId;
        let seen = on_timeline(&app.pools.prompt, seen, named_by, fetched.timeline).await?;
        if seen.position > fetched.head {
            return Err(Error::FuturePosition(named_by));
        }
        Ok(())
    }
}

/// The newest update that the client has, if it has any.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|text| text.parse().ok());
    token.map(Some).ok_or_else(malformed_last_event_id)
}

/// The document as it is now, fresh enough for `token`.
async fn fetch<M: Followed>(
    app: &App,
    updates: &Updates,
    token: Option<Token>,
    id: Uuid,
) -> Result<Fetched<LiveUpdate>, Error> {
    let shard = [QueriedShards::of_row::<M>(id)];
    let deadline = app.freshness.wait_for_shards(token, &shard).await;
    let wait = Duration::from_millis(app.limits.sse_wait_ms);
    let read = || async {
        let read = timeout(wait, updates.read(id)).await;
        read.map_err(|_| Error::TooManyBegin)?
    };
    app.freshness
        .repeat_before(deadline, token, &shard, read)
        .await
}

/// A client that follows a document.
struct Client {
    /// The update that is sent next, if it is newer than what the client has.
    next: Option<Arc<LiveUpdate>>,
    /// The newest update that the client has.
    seen: Option<Token>,
    changes: watch::Receiver<Option<Arc<LiveUpdate>>>,
    shutdown: CancellationToken,
    /// The session with which the stream ends, if the document is one user's own.
    session: Option<Box<OwnSession>>,
    _places: (Held<IpAddr>, OwnedSemaphorePermit),
}

impl Client {
    /// When to connect again, then each newer document, and at last why this is the end.
    fn into_events(self, retry: Duration) -> impl Stream<Item = Result<Event, Infallible>> {
        let updates = stream::unfold(Some(self), |client| async move {
            let mut client = client?;
            match client.newer().await {
                Ok(update) => {
                    let id = update.token().to_string();
                    let event = Event::default().event("state").id(id);
                    Some((event.data(&update.document), Some(client)))
                }
                Err(end) => Some((Event::default().event("end").data(end.data()), None)),
            }
        });
        stream::iter([Event::default().retry(retry)])
            .chain(updates)
            .map(Ok)
    }

    /// The next update that is newer than what the client has, or why there is none.
    async fn newer(&mut self) -> Result<Arc<LiveUpdate>, End> {
        loop {
            let next = self.next.take();
            if let Some(update) = next.filter(|update| update.is_newer_than(self.seen)) {
                self.seen = Some(update.token());
                return Ok(update);
            }
            tokio::select! {
                // Whoever may see no more is sent no more, however quickly the document changes.
                biased;
                () = self.shutdown.cancelled() => return Err(End::ShuttingDown),
                end = ends::of(&mut self.session) => return Err(end),
                changed = self.changes.changed() => {
                    changed.map_err(|_| End::ShuttingDown)?;
                    self.next.clone_from(&self.changes.borrow_and_update());
                }
            }
        }
    }
}
