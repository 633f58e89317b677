//! Why a live update ends although its client is still there.

use std::pin::Pin;

use tidemark_platform::auth::LoggedIn;
use tidemark_platform::shares::Held;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;

/// Why a live update ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The process stops.
    ShuttingDown,
    /// The session is over.
    LoggedOut,
    /// The access token has expired.
    TokenExpired,
}

impl End {
    /// The data of the event that ends the stream: the code with which the next request with the same credential would be refused.
    pub(super) const fn data(self) -> &'static str {
        match self {
            Self::ShuttingDown => r#"{"code":"shutting_down"}"#,
            Self::LoggedOut => r#"{"code":"logged_out"}"#,
            Self::TokenExpired => r#"{"code":"invalid_token"}"#,
        }
    }
}

/// The session of the one user who may see a document.
pub(crate) struct OwnSession {
    /// Until the access token expires.
    expiry: Pin<Box<Sleep>>,
    has_ended: watch::Receiver<bool>,
    _place: Held<Uuid>,
}

impl OwnSession {
    /// One more live update in the session of this user.
    ///
    /// # Errors
    /// If the user has as many open as may be.
    pub(crate) fn new(app: &App, LoggedIn { user, until }: &LoggedIn) -> Result<Self, Error> {
        let max = app.limits.sse_clients_per_user_max;
        let place = app.live_update_users.take(user.id, max);
        let place = place.ok_or(Error::TooManyOfUser(max))?;
        let left = (*until - app.clock.now()).to_std().unwrap_or_default();
        Ok(Self {
            expiry: Box::pin(sleep(left)),
            has_ended: app.sessions.follow(user.session_id),
            _place: place,
        })
    }

    /// Waits until the session is over, or the access token has expired.
    async fn over(&mut self) -> End {
        let has_ended = self.has_ended.wait_for(|ended| *ended);
        let has_ended = async { has_ended.await.is_ok() };
        tokio::select! {
            () = self.expiry.as_mut() => End::TokenExpired,
            // While the process stops, nobody looks for that any more.
            true = has_ended => End::LoggedOut,
        }
    }
}

/// Waits until this session is over. Without one nothing but the process ends the stream.
pub(super) async fn of(session: &mut Option<Box<OwnSession>>) -> End {
    match session {
        Some(session) => session.over().await,
        None => std::future::pending().await,
    }
}
