//! Facts about sessions.

use serde::{Deserialize, Serialize};

use crate::{KeyedHash, SessionId, Timestamp, UserId};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user logged out.
    LoggedOut,
    /// A spent refresh token came back: somebody has a copy (RFC 9700, 4.14.2).
    TokenReused,
}

/// Facts about a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
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
