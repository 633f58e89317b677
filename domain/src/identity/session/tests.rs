//! Rotation, reuse, idleness, the end.

use tidemark_events::samples::{BIDDER, SELLER, SESSION, at};

use super::*;
use crate::given::{Given, given, joined};

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

/// Opened at second 0, idle until 100, good until 250 at the latest.
fn logged_in() -> Given {
    let mut given = given([joined(SELLER)]);
    assert!(given.play(open()).is_ok());
    given
}

#[test]
fn a_user_logs_in() {
    assert_eq!(
        given([joined(SELLER)]).when(open()),
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
fn the_token_rotates_until_the_session_ends() {
    let mut session = logged_in().at(at(90));
    assert_eq!(
        session.play(refresh("one", "two")),
        Ok(refreshed("two", 190))
    );
    let mut session = session.at(at(180));
    let last = session.play(refresh("two", "three"));
    assert_eq!(last, Ok(refreshed("three", 250)), "not beyond the end");
    let over = session.at(at(250)).when(refresh("three", "four"));
    assert_eq!(over, Err(Error::InvalidGrant.into()));
}

#[test]
fn an_idle_token_is_not_good() {
    let late = logged_in().at(at(100)).when(refresh("one", "two"));
    assert_eq!(late, Err(Error::InvalidGrant.into()));
}

#[test]
fn a_spent_token_ends_the_session_for_all() {
    let mut session = logged_in();
    assert!(session.play(refresh("one", "two")).is_ok());
    assert_eq!(
        session.play(refresh("one", "x")),
        Ok(ended(EndReason::TokenReused))
    );
    for token in ["one", "two"] {
        let after = session.when(refresh(token, "y"));
        assert_eq!(after, Err(Error::InvalidGrant.into()));
    }
}

#[test]
fn spent_tokens_are_remembered_up_to_a_bound() {
    let mut session = logged_in();
    for n in 0..=SPENT_MAX {
        let (presented, next) = (format!("{n}"), format!("{}", n + 1));
        let presented = if n == 0 { "one" } else { &presented };
        assert!(session.play(refresh(presented, &next)).is_ok());
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
    assert_eq!(session.play(end()), Ok(ended(EndReason::LoggedOut)));
    assert_eq!(session.when(end()), Err(Error::Ended.into()));
    let after = session.when(refresh("one", "two"));
    assert_eq!(after, Err(Error::InvalidGrant.into()));

    let not_found = || Err(Error::NotFound.into());
    assert_eq!(logged_in().by(BIDDER).when(end()), not_found());
    let by_nobody = logged_in().when(end());
    assert_eq!(by_nobody, Err(access::Error::Login.into()));
    assert_eq!(given([]).by(SELLER).when(end()), not_found());
}
