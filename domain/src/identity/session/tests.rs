//! How refresh tokens are replaced, reused and expire, and how sessions end.

use chrono::TimeDelta;
use tidemark_events::identity::session::EndReason;
use tidemark_events::samples::{BIDDER, SELLER, SESSION, at};

use super::*;
use crate::Write;
use crate::given::{Given, given, registered};
use crate::identity::{access, user};

const IDLE: TimeDelta = TimeDelta::seconds(100);

fn hash(text: &str) -> KeyedHash {
    KeyedHash(text.to_owned())
}

fn open() -> Open {
    Open {
        session_id: SESSION,
        user_id: SELLER,
        token_hash: hash("one"),
        idle_ttl: IDLE,
        session_ttl: TimeDelta::seconds(250),
    }
}

fn refresh(presented: &str, next: &str) -> Refresh {
    Refresh {
        session_id: SESSION,
        presented: hash(presented),
        next: hash(next),
        idle_ttl: IDLE,
    }
}

fn refreshed(token: &str, idle_until: i64) -> Vec<Write> {
    vec![Write::event(
        SESSION.0,
        Event::Refreshed {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash(token),
            idle_until: at(idle_until),
        },
    )]
}

fn ended(reason: EndReason) -> Vec<Write> {
    vec![Write::event(
        SESSION.0,
        Event::Ended {
            session_id: SESSION,
            user_id: SELLER,
            reason,
        },
    )]
}

/// A session that was opened at second 0, whose token expires at second 100, and which ends at second
/// 250.
fn logged_in() -> Given {
    let mut given = given([registered(SELLER)]);
    assert!(given.execute(open()).is_ok());
    given
}

#[test]
fn a_user_logs_in() {
    assert_eq!(
        given([registered(SELLER)]).when(open()),
        Ok(vec![Write::event(
            SESSION.0,
            Event::Opened {
                session_id: SESSION,
                user_id: SELLER,
                token_hash: hash("one"),
                idle_until: at(100),
                ends_at: at(250),
            }
        )])
    );
    assert_eq!(given([]).when(open()), Err(user::Error::NotFound.into()));
}

#[test]
fn the_token_is_replaced_until_the_session_ends() {
    let mut session = logged_in().at(at(90));
    assert_eq!(
        session.execute(refresh("one", "two")),
        Ok(refreshed("two", 190))
    );
    let mut session = session.at(at(180));
    let last = session.execute(refresh("two", "three"));
    assert_eq!(last, Ok(refreshed("three", 250)), "not beyond the end");
    let over = session.at(at(250)).when(refresh("three", "four"));
    assert_eq!(over, Err(Error::InvalidGrant.into()));
}

#[test]
fn a_token_that_is_not_used_in_time_expires() {
    let late = logged_in().at(at(100)).when(refresh("one", "two"));
    assert_eq!(late, Err(Error::InvalidGrant.into()));
}

#[test]
fn a_spent_token_that_comes_back_ends_the_session() {
    let mut session = logged_in();
    assert!(session.execute(refresh("one", "two")).is_ok());
    assert_eq!(
        session.execute(refresh("one", "x")),
        Ok(ended(EndReason::TokenReused))
    );
    for token in ["one", "two"] {
        let after = session.when(refresh(token, "y"));
        assert_eq!(after, Err(Error::InvalidGrant.into()));
    }
}

#[test]
fn so_many_spent_tokens_are_remembered_and_no_more() {
    let mut session = logged_in();
    for n in 0..=SPENT_MAX {
        let (presented, next) = (format!("{n}"), format!("{}", n + 1));
        let presented = if n == 0 { "one" } else { &presented };
        assert!(session.execute(refresh(presented, &next)).is_ok());
    }
    let forgotten = session.when(refresh("one", "x"));
    assert_eq!(forgotten, Err(Error::InvalidGrant.into()));
    assert_eq!(
        session.when(refresh("1", "x")),
        Ok(ended(EndReason::TokenReused))
    );
}

#[test]
fn an_unknown_token_changes_nothing() {
    let unknown = logged_in().when(refresh("guess", "x"));
    assert_eq!(unknown, Err(Error::InvalidGrant.into()));
    let nowhere = given([]).when(refresh("one", "two"));
    assert_eq!(nowhere, Err(Error::InvalidGrant.into()));
}

#[test]
fn users_log_out_of_their_own_sessions_once() {
    let end = || End {
        session_id: SESSION,
    };
    let mut session = logged_in().by(SELLER);
    assert_eq!(session.execute(end()), Ok(ended(EndReason::LoggedOut)));
    assert_eq!(session.when(end()), Err(Error::Ended.into()));
    let after = session.when(refresh("one", "two"));
    assert_eq!(after, Err(Error::InvalidGrant.into()));

    let not_found = || Err(Error::NotFound.into());
    assert_eq!(logged_in().by(BIDDER).when(end()), not_found());
    let by_nobody = logged_in().when(end());
    assert_eq!(by_nobody, Err(access::Error::Login.into()));
    assert_eq!(given([]).by(SELLER).when(end()), not_found());
}
