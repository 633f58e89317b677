//! Whose a telephone is, and what is sent there.

mod limits;

use tidemark_events::messaging::message;
use tidemark_events::samples::{BIDDER, SELLER, TEXT, at};
use tidemark_events::{AggregateEvent, Event as AnyEvent, TextBudgetId};
use uuid::Uuid;

use super::*;
use crate::AggregateState;
use crate::given::{Given, given, registered, sample, writes_of};

const LIMITS: TextLimits = TextLimits {
    per_10_minutes_max: 3,
    per_day_max: 5,
    codes_per_10_minutes_max: 3,
    codes_per_day_max: 5,
    segments_max: 3,
    segments_per_day_max: 0,
    code_segments_per_day_max: 7,
};

/// The command whose events the samples have.
fn state() -> StatePhone {
    let AnyEvent::User(Event::PhoneStated {
        user_id,
        number,
        number_hash,
        message_id,
        code_hash,
        ..
    }) = sample("user.phone_stated")
    else {
        panic!("not a number")
    };
    let code = tidemark_events::samples::all().into_iter().find_map(|it| {
        if let AnyEvent::Message(message::Event::Requested {
            template: Template::PhoneCode { code },
            ..
        }) = it
        {
            Some(*code)
        } else {
            None
        }
    });
    StatePhone {
        user_id,
        number: PhoneNumber {
            number,
            hash: number_hash,
        },
        is_served: true,
        message_id,
        code: code.unwrap(),
        code_hash,
        code_ttl: TimeDelta::minutes(10),
        limits: LIMITS,
    }
}

fn verify(code: &str) -> VerifyPhone {
    VerifyPhone {
        user_id: SELLER,
        code_hash: KeyedHash(code.repeat(64)),
        attempts_max: 3,
    }
}

const REMOVE: RemovePhone = RemovePhone { user_id: SELLER };

fn user() -> Given {
    given([registered(SELLER), registered(BIDDER)]).by(SELLER)
}

fn stated() -> Given {
    user().and([sample("user.phone_stated")])
}

/// The stored types of the events of a decision.
fn types(writes: &[Write]) -> Vec<String> {
    let event = |write: &Write| match write {
        Write::Event(_, event) => Some(event.encode().unwrap().event_type),
        Write::Claim(..) | Write::Release(_) => None,
    };
    writes.iter().filter_map(event).collect()
}

#[test]
fn whoever_states_a_number_is_sent_a_code_there() {
    let writes = user().when(state()).unwrap();
    let expected = [
        "user.phone_stated",
        "text_budget.spent",
        "message.requested",
    ];
    assert_eq!(types(&writes), expected);
    assert_eq!(writes[0], writes_of(["user.phone_stated"])[0]);
    let Some(Write::Event(_, requested)) = writes
        .iter()
        .find(|it| matches!(it, Write::Event(_, AnyEvent::Message(_))))
    else {
        panic!("no text: {writes:?}")
    };
    let all = tidemark_events::samples::all();
    assert!(all.contains(requested), "{requested:?}");
    let budget = Write::event(
        TextBudgetId::of_codes(at(0)).0,
        tidemark_events::messaging::text_budget::Event::Spent {
            text_budget_id: TextBudgetId::of_codes(at(0)),
            message_id: TEXT,
            segments: 1,
        },
    );
    assert!(writes.contains(&budget), "{writes:?}");
}

#[test]
fn no_text_is_sent_where_none_may_be() {
    let elsewhere = StatePhone {
        is_served: false,
        ..state()
    };
    assert_eq!(user().when(elsewhere), Err(Error::NotServed.into()));
    let verified = || stated().and([sample("user.phone_verified")]);
    assert_eq!(verified().when(state()), Err(Error::Verified.into()));
}

#[test]
fn the_code_verifies_the_number_once() {
    let verified = stated().when(verify("d"));
    assert_eq!(verified, Ok(writes_of(["user.phone_verified"])));
    let again = stated().and([sample("user.phone_verified")]);
    assert_eq!(again.when(verify("d")), Err(Error::NoCode.into()));
    assert_eq!(user().when(verify("d")), Err(Error::NoCode.into()));
    assert!(stated().at(at(600)).when(verify("d")).is_ok());
    let late = stated().at(at(601)).when(verify("d"));
    assert_eq!(late, Err(Error::NoCode.into()));
}

#[test]
fn only_so_many_codes_can_be_tried() {
    let mut log = stated();
    for _ in 0..3 {
        let refused = log.execute(verify("e"));
        assert_eq!(refused, Ok(writes_of(["user.phone_code_refused"])));
    }
    assert_eq!(log.when(verify("d")), Err(Error::NoCode.into()));
    // Another text brings another code.
    let again = log.and([sample("user.phone_stated")]);
    assert!(again.when(verify("d")).is_ok());
}

#[test]
fn a_number_that_is_verified_stays_until_another_one_is_or_it_is_removed() {
    let mut user = User::default();
    let mut verified_after = |mut event: AnyEvent, hash: &str| {
        if let AnyEvent::User(Event::PhoneStated { number_hash, .. }) = &mut event {
            *number_hash = KeyedHash(hash.to_owned());
        }
        user.evolve(AggregateEvent::from_event(&event).unwrap());
        let User::Registered { phone, .. } = &user else {
            panic!("nobody has registered")
        };
        phone.verified.as_ref().map(|it| it.hash.0.clone())
    };
    assert_eq!(verified_after(registered(SELLER), ""), None);
    for (event_type, hash, verified) in [
        ("user.phone_stated", "one", None),
        ("user.phone_verified", "", Some("one")),
        ("user.phone_stated", "two", Some("one")),
        ("user.phone_code_refused", "", Some("one")),
        ("user.phone_verified", "", Some("two")),
        ("user.phone_removed", "", None),
    ] {
        let found = verified_after(sample(event_type), hash);
        assert_eq!(found.as_deref(), verified, "{event_type}");
    }
}

#[test]
fn users_remove_their_number() {
    assert_eq!(stated().when(REMOVE), Ok(writes_of(["user.phone_removed"])));
    assert_eq!(user().when(REMOVE), Err(Error::None.into()));
}

#[test]
fn for_others_there_is_no_such_user() {
    let other = || stated().by(BIDDER);
    let refused = Err(user::Error::NotFound.into());
    assert_eq!(other().when(state()), refused);
    assert_eq!(other().when(verify("d")), refused);
    assert_eq!(other().when(REMOVE), refused);
    let service = given([registered(SELLER)]).by_service().when(state());
    assert_eq!(service, Err(access::Error::Login.into()));
}
