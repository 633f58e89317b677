//! What follows if nobody knows whether a server has a message.

use super::*;
use crate::given::Given;

/// A mail that must be told, and was asked for.
fn critical() -> Given {
    let AnyEvent::Message(mut requested) = sample("message.requested") else {
        panic!("not a request")
    };
    let notice = samples::all().into_iter().find_map(|event| {
        let AnyEvent::Notification(notification::Event::Raised {
            notification_id,
            subject,
            ..
        }) = event
        else {
            return None;
        };
        Some(Notice {
            notification_id,
            category: Category::Won,
            subject,
        })
    });
    if let Event::Requested { template, .. } = &mut requested {
        *template = Template::Notification(Box::new(notice.unwrap()));
    }
    given([registered(SELLER), requested.into()])
        .by_service()
        .at(samples::at(0))
}

fn uncertain() -> End {
    End {
        outcome: Outcome::Uncertain,
        status: None,
        ..end()
    }
}

/// How the message ended by these writes; none if it did not.
fn outcome(writes: &[Write]) -> Option<Outcome> {
    writes.iter().find_map(|write| match write {
        Write::Event(_, AnyEvent::Message(Event::Ended { outcome, .. })) => Some(*outcome),
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    })
}

#[test]
fn a_mail_that_must_be_told_is_sent_once_more() {
    let mut log = critical();
    let first = log.execute(uncertain());
    assert_eq!(first, Ok(writes_of(["message.uncertain"])));
    let second = log.when(uncertain()).unwrap();
    assert_eq!(outcome(&second), Some(Outcome::Uncertain));
    let accepted = log.when(end()).unwrap();
    assert_eq!(outcome(&accepted), Some(Outcome::Accepted));
    // The server may have taken it the first time.
    let expired = End {
        outcome: Outcome::Expired,
        ..end()
    };
    let expired = log.when(expired).unwrap();
    assert_eq!(outcome(&expired), Some(Outcome::Uncertain));
    // A report that it could not be delivered ends it, also before it is sent once more.
    let bounced = log.and([sample("message.bounced")]);
    assert_eq!(bounced.when(uncertain()), Err(Error::Over.into()));
}

#[test]
fn other_mails_and_those_that_would_come_too_late_are_not_sent_again() {
    let ends = |given: Given, command| outcome(&given.when(command).unwrap());
    let welcome = given([registered(SELLER), sample("message.requested")]).by_service();
    assert_eq!(ends(welcome, uncertain()), Some(Outcome::Uncertain));
    let late = critical().at(samples::at(86_400 - 599));
    assert_eq!(ends(late, uncertain()), Some(Outcome::Uncertain));
    let in_time = critical().at(samples::at(86_400 - 600));
    assert_eq!(ends(in_time, uncertain()), None);
    let never = End {
        repeat_after: None,
        ..uncertain()
    };
    assert_eq!(ends(critical(), never), Some(Outcome::Uncertain));
}
