//! Whose a telephone is, and what is sent there.

use tidemark_events::messaging::message;
use tidemark_events::messaging::message::Suppression;
use tidemark_events::samples::{BIDDER, SELLER, TEXT, at};
use tidemark_events::{AggregateEvent, Event as AnyEvent, TextBudgetId};
use uuid::Uuid;

use super::*;
use crate::given::{Given, given, registered, sample, writes_of};
use crate::{AggregateState, Claim, ClaimScope};

const LIMITS: TextLimits = TextLimits {
    per_10_minutes_max: 3,
    per_day_max: 5,
    segments_max: 3,
    segments_per_day_max: 7,
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
        TextBudgetId::of(at(0)).0,
        tidemark_events::messaging::text_budget::Event::Spent {
            text_budget_id: TextBudgetId::of(at(0)),
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

/// Nothing is sent to the number of [`state`].
fn suppressed() -> Given {
    let point = Uuid::from_u128(0x77);
    let claim = Claim::new(ClaimScope::ContactPoint, "c".repeat(64));
    let suppressed = tidemark_events::messaging::contact_point::Event::Suppressed {
        contact_point_id: tidemark_events::ContactPointId(point),
        address_hash: KeyedHash("c".repeat(64)),
        message_id: TEXT,
        scope: tidemark_events::messaging::contact_point::Scope::All,
        reason: tidemark_events::messaging::contact_point::Reason::Unsubscribed,
        until: None,
    };
    user().and([suppressed.into()]).claimed(claim, point)
}

/// The reasons for which texts were not sent.
fn unsent(writes: &[Write]) -> Vec<Suppression> {
    let reason = |write: &Write| match write {
        Write::Event(_, AnyEvent::Message(message::Event::Suppressed { reason, .. })) => {
            Some(*reason)
        }
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    };
    writes.iter().filter_map(reason).collect()
}

/// Else a stranger could find out that somebody has answered STOP, or that a number is none.
#[test]
fn a_number_that_is_sent_nothing_is_stated_as_any_other_is() {
    let writes = suppressed().when(state()).unwrap();
    assert_eq!(unsent(&writes), [Suppression::Address]);
    let expected = [
        "user.phone_stated",
        "text_budget.spent",
        "message.suppressed",
    ];
    assert_eq!(types(&writes), expected);
    let mut log = suppressed();
    let mut stated = 0;
    while log.execute(numbered(stated)).is_ok() {
        stated += 1;
    }
    assert_eq!(stated, 3);
    assert_eq!(log.when(state()), Err(Error::TooMany.into()));
}

/// The command with another text.
fn numbered(number: u32) -> StatePhone {
    let message_id = MessageId(Uuid::from_u128(0x1000 + u128::from(number)));
    StatePhone {
        message_id,
        ..state()
    }
}

/// Sends so many codes, one every so many seconds, and returns how many were sent before one was refused, and the reason.
fn sent_every(seconds: i64, limits: TextLimits) -> (i64, &'static str) {
    let mut log = user();
    for number in 0..100 {
        log = log.at(at(number * seconds));
        let message_id = MessageId(Uuid::from_u128(0x1000 + u128::try_from(number).unwrap()));
        let again = StatePhone {
            message_id,
            limits,
            ..state()
        };
        if let Err(refusal) = log.execute(again) {
            return (number, refusal.code.name);
        }
    }
    panic!("nothing was refused")
}

#[test]
fn a_user_is_sent_only_so_many_texts_and_all_users_together_are() {
    assert_eq!(sent_every(60, LIMITS), (3, "too_many_texts"));
    assert_eq!(sent_every(200, LIMITS), (5, "too_many_texts"));
    let many = TextLimits {
        per_10_minutes_max: 100,
        per_day_max: 100,
        ..LIMITS
    };
    assert_eq!(sent_every(60, many), (7, "texts_spent"));
    // From midnight on there is another budget.
    let (sent, _) = sent_every(
        14_400,
        TextLimits {
            segments_per_day_max: 5,
            ..many
        },
    );
    assert_eq!(sent, 5);
    let slower = TextLimits {
        segments_per_day_max: 6,
        per_day_max: 6,
        ..many
    };
    let mut log = user();
    for number in 0..20 {
        log = log.at(at(number * 14_400));
        let message_id = MessageId(Uuid::from_u128(0x1000 + u128::try_from(number).unwrap()));
        let again = StatePhone {
            message_id,
            limits: slower,
            ..state()
        };
        assert!(log.execute(again).is_ok(), "{number}");
    }
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

#[test]
fn a_number_is_sent_only_so_many_texts_whoever_states_it() {
    let mut log = user();
    for number in 0..3 {
        log.execute(numbered(number)).unwrap();
    }
    let mut other = StatePhone {
        user_id: BIDDER,
        message_id: MessageId(Uuid::from_u128(0x2000)),
        ..state()
    };
    other.number.number.subject = BIDDER;
    // Nobody learns that others have stated it.
    let writes = log.by(BIDDER).when(other).unwrap();
    assert_eq!(unsent(&writes), [Suppression::TooMany]);
}
