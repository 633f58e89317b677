//! Events of sessions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::identity::user::Role;
use crate::{EventField, KeyedHash, Moment, Stored, UserId};

id! {
    /// The id of a session.
    SessionId
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user logged out.
    LoggedOut,
    /// A refresh token was used for the second time, so somebody has a copy of it (RFC 9700, section
    /// 4.14.2).
    TokenReused,
}

impl EventField for EndReason {}

events! {
    /// The events of a session.
    pub enum Event {
        /// The user logged in.
        #[serde(rename = "session.opened")]
        Opened {
            /// The session.
            session_id: SessionId,
            /// The user whose session this is.
            user_id: UserId,
            /// The keyed hash of the refresh token.
            token_hash: KeyedHash,
            /// The time at which the refresh token expires unless it is used before.
            idle_until: Stored<Moment>,
            /// The time at which the session ends, however often its token is refreshed.
            ends_at: Stored<Moment>,
            /// The roles of the user that the access token names. Events of older builds do not say.
            #[serde(default)]
            roles: BTreeSet<Role>,
        },
        /// The user used the refresh token, and a new one replaced it.
        #[serde(rename = "session.refreshed")]
        Refreshed {
            /// The session.
            session_id: SessionId,
            /// The user whose session this is.
            user_id: UserId,
            /// The keyed hash of the new refresh token.
            token_hash: KeyedHash,
            /// The time at which the new refresh token expires unless it is used before.
            idle_until: Stored<Moment>,
            /// The time until which the token before it is answered again. None in events of older builds.
            #[serde(default)]
            grace_until: Option<Stored<Moment>>,
            /// The roles of the user that the access token names. Events of older builds do not say.
            #[serde(default)]
            roles: BTreeSet<Role>,
        },
        /// The user used the refresh token before the present one soon after it was replaced, as clients do
        /// that send it twice at once or lost an answer. The present one was given again, which is recorded once
        /// however often.
        #[serde(rename = "session.refresh_repeated")]
        RefreshRepeated {
            /// The session.
            session_id: SessionId,
            /// The user whose session this is.
            user_id: UserId,
            /// The roles of the user that the access token names.
            roles: BTreeSet<Role>,
        },
        /// The session ended, and no token of it is valid any more.
        #[serde(rename = "session.ended")]
        Ended {
            /// The session.
            session_id: SessionId,
            /// The user whose session this is.
            user_id: UserId,
            /// The reason for which the session ended.
            reason: EndReason,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{SELLER, SESSION, hash, moment};

    vec![
        Event::Opened {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash("b"),
            idle_until: moment(604_800).into(),
            ends_at: moment(2_592_000).into(),
            roles: BTreeSet::from([Role::Buyer, Role::Seller]),
        },
        Event::Refreshed {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash("c"),
            idle_until: moment(604_900).into(),
            grace_until: Some(moment(110).into()),
            roles: BTreeSet::from([Role::Buyer]),
        },
        Event::RefreshRepeated {
            session_id: SESSION,
            user_id: SELLER,
            roles: BTreeSet::from([Role::Buyer]),
        },
        Event::Ended {
            session_id: SESSION,
            user_id: SELLER,
            reason: EndReason::LoggedOut,
        },
    ]
}
