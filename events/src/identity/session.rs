//! Facts about sessions.

use serde::{Deserialize, Serialize};

use crate::{KeyedHash, Timestamp, UserId};

id! {
    /// A session.
    SessionId
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user logged out.
    LoggedOut,
    /// A spent refresh token came back: somebody has a copy (RFC 9700, 4.14.2).
    TokenReused,
}

events! {
    /// Facts about a session.
    pub enum Event {
        /// Somebody logged in.
        #[serde(rename = "session.opened")]
        Opened {
            /// The session.
            session_id: SessionId,
            /// Whose it is.
            user_id: UserId,
            /// Of the refresh token.
            token_hash: KeyedHash,
            /// Until when the token may wait for its use.
            idle_until: Timestamp,
            /// Until when the session may be prolonged at all.
            ends_at: Timestamp,
        },
        /// The refresh token was used and replaced.
        #[serde(rename = "session.refreshed")]
        Refreshed {
            /// The session.
            session_id: SessionId,
            /// Whose it is.
            user_id: UserId,
            /// Of the new refresh token.
            token_hash: KeyedHash,
            /// Until when the new token may wait for its use.
            idle_until: Timestamp,
        },
        /// No token of this session is good any more.
        #[serde(rename = "session.ended")]
        Ended {
            /// The session.
            session_id: SessionId,
            /// Whose it is.
            user_id: UserId,
            /// Why.
            reason: EndReason,
        },
    }
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{SELLER, SESSION, at, hash};

    vec![
        Event::Opened {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash("b"),
            idle_until: at(604_800),
            ends_at: at(2_592_000),
        },
        Event::Refreshed {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash("c"),
            idle_until: at(604_900),
        },
        Event::Ended {
            session_id: SESSION,
            user_id: SELLER,
            reason: EndReason::LoggedOut,
        },
    ]
}
