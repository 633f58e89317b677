//! How many codes are sent, and what nobody learns of a number.

use tidemark_events::ContactPointId;
use tidemark_events::messaging::contact_point;
use tidemark_events::messaging::message::Suppression;
use tidemark_events::messaging::text_budget;

use super::*;
use crate::{Claim, ClaimScope};

/// Nothing is sent to the number of [`state`].
fn suppressed() -> Given {
    let point = Uuid::from_u128(0x77);
    let claim = Claim::new(ClaimScope::ContactPoint, "c".repeat(64));
    let suppressed = contact_point::Event::Suppressed {
        contact_point_id: ContactPointId(point),
        address_hash: KeyedHash("c".repeat(64)),
        message_id: TEXT,
        scope: contact_point::Scope::All,
        reason: contact_point::Reason::Unsubscribed,
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
    // Nobody is sent less for it.
    let segments: Vec<_> = writes.iter().filter_map(spent).collect();
    assert_eq!(segments, [0]);
    let mut log = suppressed();
    let mut stated = 0;
    while log.execute(numbered(stated)).is_ok() {
        stated += 1;
    }
    assert_eq!(stated, 3);
    assert_eq!(log.when(state()), Err(Error::TooMany.into()));
}

/// The segments that a write takes of a budget.
fn spent(write: &Write) -> Option<u32> {
    let Write::Event(_, AnyEvent::TextBudget(event)) = write else {
        return None;
    };
    let text_budget::Event::Spent { segments, .. } = event;
    Some(*segments)
}

/// Else it could be found out of a number whether it is sent nothing, once all has been spent.
#[test]
fn when_all_is_spent_a_number_that_is_sent_nothing_is_refused_as_any_other_is() {
    let spent = StatePhone {
        limits: TextLimits {
            code_segments_per_day_max: 0,
            ..LIMITS
        },
        ..state()
    };
    let refused = Err(Error::BudgetSpent.into());
    assert_eq!(suppressed().when(spent.clone()), refused);
    assert_eq!(user().when(spent), refused);
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
        codes_per_10_minutes_max: 100,
        codes_per_day_max: 100,
        ..LIMITS
    };
    assert_eq!(sent_every(60, many), (7, "texts_spent"));
    // From midnight on there is another budget.
    let (sent, _) = sent_every(
        14_400,
        TextLimits {
            code_segments_per_day_max: 5,
            ..many
        },
    );
    assert_eq!(sent, 5);
    let slower = TextLimits {
        code_segments_per_day_max: 6,
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

/// The command by which another user states the number.
fn by_another_user() -> StatePhone {
    let mut other = StatePhone {
        user_id: BIDDER,
        message_id: MessageId(Uuid::from_u128(0x2000)),
        ..state()
    };
    other.number.number.subject = BIDDER;
    other
}

#[test]
fn a_number_is_sent_only_so_many_texts_whoever_states_it() {
    let mut log = user();
    for number in 0..3 {
        log.execute(numbered(number)).unwrap();
    }
    // Nobody learns that others have stated it.
    let writes = log.by(BIDDER).when(by_another_user()).unwrap();
    assert_eq!(unsent(&writes), [Suppression::TooMany]);
}

#[test]
fn one_user_keeps_nobody_else_from_having_a_code_sent_to_a_number() {
    let limits = TextLimits {
        codes_per_10_minutes_max: 2,
        codes_per_day_max: 3,
        ..LIMITS
    };
    let state = |number| StatePhone {
        limits,
        ..numbered(number)
    };
    let mut log = user();
    for number in 0..2 {
        log.execute(state(number)).unwrap();
    }
    // It is the user's own doing, so it is told.
    assert_eq!(log.when(state(2)), Err(Error::TooMany.into()));
    let mut log = log.at(at(600));
    log.execute(state(2)).unwrap();
    let mut log = log.at(at(1_200));
    assert_eq!(log.when(state(3)), Err(Error::TooMany.into()));
    let other_number = StatePhone {
        number: PhoneNumber {
            hash: KeyedHash("f".repeat(64)),
            ..state(3).number
        },
        ..state(3)
    };
    assert!(log.when(other_number).is_ok());
    let other = StatePhone {
        limits,
        ..by_another_user()
    };
    log = log.by(BIDDER);
    let writes = log.when(other).unwrap();
    assert_eq!(unsent(&writes), []);
}
