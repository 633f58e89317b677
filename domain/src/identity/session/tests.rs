//! How refresh tokens are replaced, reused and expire, and how sessions end.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use tidemark_events::identity::credential;
use tidemark_events::identity::session::EndReason;
use tidemark_events::identity::user::Role;
use tidemark_events::samples::{BIDDER, CREDENTIAL, SELLER, SESSION, at, moment};
use tidemark_events::{Event as AnyEvent, Moment, Sealed};

use super::*;
use crate::given::{Given, given, granted, registered, sample};
use crate::identity::access;
use crate::{Claim, ClaimScope, Write};

const IDLE: TimeDelta = TimeDelta::seconds(100);
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// The sealed hash of the seller's password.
fn password() -> Sealed {
    let AnyEvent::Credential(credential::Event::PasswordSet { password_hash, .. }) =
        sample("credential.password_set")
    else {
        panic!("it sets no password")
    };
    password_hash
}

/// The seller, who can log in.
fn seller() -> Given {
    let email = Claim::new(ClaimScope::Email, "e");
    given([registered(SELLER), sample("credential.password_set")]).claimed(email, SELLER.0)
}

fn hash(text: &str) -> KeyedHash {
    KeyedHash(text.to_owned())
}

fn open() -> Open {
    Open {
        session_id: SESSION,
        user_id: SELLER,
        email_hash: hash("e"),
        credential_id: CREDENTIAL,
        password_hash: password(),
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
        grace: GRACE,
    }
}

/// The token was replaced at `second`, when it expires at `idle_until` unless it is used.
fn refreshed(second: i64, token: &str, idle_until: i64) -> Vec<Write> {
    vec![Write::event(
        SESSION.0,
        Event::Refreshed {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash(token),
            idle_until: moment(idle_until).into(),
            grace_until: Some(Moment::nearest(at(second) + GRACE).into()),
            roles: BTreeSet::from([Role::Buyer]),
        },
    )]
}

fn repeated() -> Vec<Write> {
    vec![Write::event(
        SESSION.0,
        Event::RefreshRepeated {
            session_id: SESSION,
            user_id: SELLER,
            roles: BTreeSet::from([Role::Buyer]),
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
    let mut given = seller();
    assert!(given.execute(open()).is_ok());
    given
}

#[test]
fn a_user_logs_in() {
    assert_eq!(
        seller().and([granted(SELLER, Role::Seller)]).when(open()),
        Ok(vec![Write::event(
            SESSION.0,
            Event::Opened {
                session_id: SESSION,
                user_id: SELLER,
                token_hash: hash("one"),
                idle_until: moment(100).into(),
                ends_at: moment(250).into(),
                roles: BTreeSet::from([Role::Buyer, Role::Seller]),
            }
        )])
    );
}

#[test]
fn a_log_in_that_was_verified_against_what_has_changed_since_is_refused() {
    let changed = credential::Event::PasswordSet {
        credential_id: CREDENTIAL,
        user_id: SELLER,
        password_hash: Sealed {
            ciphertext: "another".to_owned(),
            ..password()
        },
    };
    let refused = || Err(Error::InvalidCredentials.into());
    let password = seller().and([changed.into()]);
    assert_eq!(password.when(open()), refused());
    let address = seller().claimed(Claim::new(ClaimScope::Email, "e"), BIDDER.0);
    assert_eq!(address.when(open()), refused());
    assert_eq!(given([]).when(open()), refused());
}

#[test]
fn the_token_is_replaced_until_the_session_ends() {
    let mut session = logged_in().at(at(90));
    assert_eq!(
        session.execute(refresh("one", "two")),
        Ok(refreshed(90, "two", 190))
    );
    let mut session = session.at(at(180));
    let last = session.execute(refresh("two", "three"));
    assert_eq!(last, Ok(refreshed(180, "three", 250)), "not beyond the end");
    let over = session.at(at(250)).when(refresh("three", "four"));
    assert_eq!(over, Err(Error::InvalidGrant.into()));
}

#[test]
fn a_token_that_is_not_used_in_time_expires() {
    let late = logged_in().at(at(100)).when(refresh("one", "two"));
    assert_eq!(late, Err(Error::InvalidGrant.into()));
}

#[test]
fn the_last_token_that_was_spent_is_answered_again_for_a_while() {
    let mut session = logged_in();
    assert!(session.execute(refresh("one", "two")).is_ok());
    let mut session = session.at(at(9));
    // That is on record once.
    assert_eq!(session.execute(refresh("one", "two")), Ok(repeated()));
    for _ in 0..2 {
        assert_eq!(session.execute(refresh("one", "two")), Ok(vec![]));
    }
    let other = session.when(refresh("one", "x"));
    assert_eq!(
        other,
        Ok(ended(EndReason::TokenReused)),
        "another next token"
    );
    let late = session.at(at(10)).when(refresh("one", "two"));
    assert_eq!(
        late,
        Ok(ended(EndReason::TokenReused)),
        "repeats prolong nothing"
    );
}

#[test]
fn the_token_before_the_last_one_ends_the_session_at_once() {
    let mut session = logged_in();
    assert!(session.execute(refresh("one", "two")).is_ok());
    assert!(session.execute(refresh("two", "three")).is_ok());
    let before = session.when(refresh("one", "two"));
    assert_eq!(before, Ok(ended(EndReason::TokenReused)));
}

#[test]
fn a_spent_token_that_comes_back_ends_the_session() {
    let mut session = logged_in();
    assert!(session.execute(refresh("one", "two")).is_ok());
    let mut session = session.at(at(10));
    assert_eq!(
        session.execute(refresh("one", "two")),
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

#[test]
fn commands_are_refused_in_a_session_that_is_over_or_another_users() {
    let end = || End {
        session_id: SESSION,
    };
    let logged_out = || Err(access::Error::LoggedOut.into());
    let mut session = logged_in().by_in(SELLER, SESSION);
    let last_moment = session.at(at(249));
    assert_eq!(last_moment.when(end()), Ok(ended(EndReason::LoggedOut)));
    session = last_moment.at(at(250));
    assert_eq!(session.when(end()), logged_out());
    session = session.at(at(0));
    assert!(session.execute(end()).is_ok());
    assert_eq!(session.when(end()), logged_out());
    assert_eq!(logged_in().by_in(BIDDER, SESSION).when(end()), logged_out());
    assert_eq!(given([]).by_in(SELLER, SESSION).when(end()), logged_out());
}
