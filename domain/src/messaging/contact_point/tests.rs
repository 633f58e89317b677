//! Who lets messages be sent to an address again.

use tidemark_events::Event as AnyEvent;
use tidemark_events::identity::user::Role;
use tidemark_events::samples::{CONTACT_POINT, SELLER, at};

use super::*;
use crate::given::{ADMIN, given, granted, registered, sample, writes_of};
use crate::identity::access;

const RELEASE: Release = Release {
    contact_point_id: CONTACT_POINT,
};

#[test]
fn an_operator_releases_an_address_while_it_is_suppressed() {
    let operator = || {
        let known = [registered(ADMIN), granted(ADMIN, Role::Operator)];
        given(known).by(ADMIN)
    };
    let suppressed = || operator().and([sample("contact_point.suppressed")]);
    let released = Ok(writes_of(["contact_point.released"]));
    assert_eq!(suppressed().when(RELEASE), released);
    let over = suppressed().at(at(31 * 86_400)).when(RELEASE);
    assert_eq!(over, Err(Error::NotSuppressed.into()));
    let again = suppressed().and([sample("contact_point.released")]);
    assert_eq!(again.when(RELEASE), Err(Error::NotSuppressed.into()));
    let unknown = operator().when(RELEASE);
    assert_eq!(unknown, Err(Error::NotFound.into()));
}

#[test]
fn nobody_else_releases_an_address() {
    let user = given([registered(SELLER), sample("contact_point.suppressed")]).by(SELLER);
    let refused = Err(access::Error::Role(Role::Operator).into());
    assert_eq!(user.when(RELEASE), refused);
}

#[test]
fn nothing_that_suppresses_for_longer_is_made_shorter() {
    let suppressed = |stated: Option<Timestamp>| {
        let AnyEvent::ContactPoint(mut event) = sample("contact_point.suppressed") else {
            panic!("not a contact point")
        };
        if let Event::Suppressed { until, .. } = &mut event {
            *until = stated.map(|until| Moment::nearest(until).into());
        }
        let mut point = ContactPoint::None;
        point.evolve(&event);
        point
    };
    let for_ever = suppressed(None);
    let is_as_long = |point: &ContactPoint, until| point.is_suppressed_as_long(Scope::All, until);
    assert!(is_as_long(&for_ever, Some(at(60))) && is_as_long(&for_ever, None));
    let a_minute = suppressed(Some(at(60)));
    assert!(is_as_long(&a_minute, Some(at(60))));
    assert!(!is_as_long(&a_minute, Some(at(61))));
    assert!(!is_as_long(&a_minute, None));
}

/// That the recipient has complained of a mail.
fn complained() -> AnyEvent {
    let mut event = sample("contact_point.suppressed");
    if let AnyEvent::ContactPoint(Event::Suppressed {
        scope,
        reason,
        until,
        ..
    }) = &mut event
    {
        (*scope, *reason, *until) = (Scope::AllButCritical, Reason::Complaint, None);
    }
    event
}

#[test]
fn a_complaint_keeps_all_away_but_what_must_be_told() {
    let AnyEvent::ContactPoint(event) = complained() else {
        panic!("not a contact point")
    };
    let mut point = ContactPoint::None;
    point.evolve(&event);
    let year = at(366 * 86_400);
    assert!(point.is_suppressed(Scope::AllButCritical, year));
    assert!(!point.is_suppressed(Scope::All, year));
    // Nothing of that keeps a refusal by the server from suppressing everything.
    assert!(!point.is_suppressed_as_long(Scope::All, Some(at(1))));
    assert!(point.is_suppressed_as_long(Scope::AllButCritical, None));
}

#[test]
fn an_operator_releases_an_address_after_a_complaint() {
    let known = [registered(ADMIN), granted(ADMIN, Role::Operator)];
    let operator = given(known).and([complained()]).by(ADMIN);
    let released = Ok(writes_of(["contact_point.released"]));
    assert_eq!(operator.when(RELEASE), released);
}
