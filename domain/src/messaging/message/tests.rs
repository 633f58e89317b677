//! Who has messages sent, and what is on record of them.

mod complaints;
mod uncertain;

use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::message::{Status, Template, Via};
use tidemark_events::messaging::notice::Notice;
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::messaging::{contact_point, notification};
use tidemark_events::samples;
use tidemark_events::samples::{CONTACT_POINT, MESSAGE, SELLER, UNSENT_MESSAGE, stated};
use tidemark_events::{Event as AnyEvent, MessageId};
use uuid::Uuid;

use super::*;
use crate::given::{RIVAL, given, registered, sample, writes_of};
use crate::identity::{access, user};
use crate::{Claim, ClaimScope, Write};

fn request() -> Request {
    let AnyEvent::Message(Event::Requested {
        message_id,
        template,
        to,
        name,
        ..
    }) = sample("message.requested")
    else {
        panic!("not a request")
    };
    Request {
        message_id,
        template,
        to,
        name,
        not_after: None,
        per_hour_max: 2,
        locale: stated("en"),
    }
}

fn end() -> End {
    End {
        message_id: MESSAGE,
        outcome: Outcome::Accepted,
        status: Some(stated("250 2.0.0")),
        repeat_after: Some(TimeDelta::minutes(10)),
        contact_point_id: CONTACT_POINT,
    }
}

/// The claim of the contact point of the address in the samples.
fn claim() -> Claim {
    Claim::new(ClaimScope::ContactPoint, "a".repeat(64))
}

#[test]
fn a_service_has_a_message_sent_that_is_of_use_for_a_day() {
    let requested = given([registered(SELLER)]).by_service().when(request());
    let first = Claim::new(ClaimScope::MessagePlace, format!("{SELLER} welcome 0"));
    let mut expected = writes_of(["message.requested"]);
    expected.push(Write::Claim(first, MESSAGE.0));
    assert_eq!(requested, Ok(expected));
    let unknown = given([]).by_service().when(request());
    assert_eq!(unknown, Err(user::Error::NotFound.into()));
}

#[test]
fn nothing_is_sent_to_an_address_that_is_suppressed() {
    let unsent = || Request {
        message_id: UNSENT_MESSAGE,
        ..request()
    };
    let suppressed = given([registered(SELLER), sample("contact_point.suppressed")]);
    let suppressed = suppressed.claimed(claim(), CONTACT_POINT.0).by_service();
    let not_sent = Ok(writes_of(["message.suppressed"]));
    assert_eq!(suppressed.when(unsent()), not_sent);
    let over = suppressed.at(samples::at(30 * 86_400));
    assert_ne!(over.when(unsent()), not_sent);
    let released = over
        .at(samples::at(0))
        .and([sample("contact_point.released")]);
    assert_ne!(released.when(unsent()), not_sent);
}

#[test]
fn an_address_that_does_not_exist_is_suppressed_with_the_end_of_the_message() {
    let refused = |status| End {
        outcome: Outcome::Bounced,
        status: Some(stated(status)),
        ..end()
    };
    let types = |command| {
        let sent = given([sample("message.requested")]).by_service();
        let writes = sent.when(command).unwrap().into_iter();
        let types = writes.filter_map(|write| match write {
            Write::Event(_, event) => Some(event.encode().unwrap().event_type),
            Write::Claim(..) | Write::Release(_) => None,
        });
        types.collect::<Vec<_>>()
    };
    let ended = "message.ended";
    let hard = types(refused("550 5.1.1"));
    assert_eq!(hard, [ended, "contact_point.suppressed"]);
    let soft = types(refused("552 5.2.2"));
    assert_eq!(soft, [ended, "contact_point.soft_bounced"]);
    assert_eq!(types(refused("550 5.7.1")), [ended]);
    assert_eq!(types(end()), [ended]);
}

#[test]
fn a_message_that_was_of_use_for_a_short_time_says_nothing_of_the_address_by_its_expiry() {
    let expired = End {
        outcome: Outcome::Expired,
        status: Some(stated("450 4.2.1")),
        ..end()
    };
    for (minutes, events) in [(15, 1), (12 * 60, 2)] {
        let mut short = sample("message.requested");
        if let AnyEvent::Message(Event::Requested { not_after, .. }) = &mut short {
            *not_after = samples::moment(minutes * 60).into();
        }
        let writes = given([short]).by_service().when(expired.clone()).unwrap();
        let is_event = |it: &&Write| matches!(it, Write::Event(..));
        assert_eq!(writes.iter().filter(is_event).count(), events, "{minutes}");
    }
}

#[test]
fn five_soft_bounces_in_two_weeks_suppress_an_address() {
    let soft = |seconds: i64| {
        let event = contact_point::Event::SoftBounced {
            contact_point_id: CONTACT_POINT,
            address_hash: tidemark_events::KeyedHash("a".repeat(64)),
            message_id: MESSAGE,
            status: Status::try_from("552 5.2.2".to_owned()).unwrap().into(),
            bounced_at: samples::moment(seconds).into(),
        };
        AnyEvent::from(event)
    };
    let bounced = || End {
        outcome: Outcome::Expired,
        status: Some(stated("450 4.2.1")),
        ..end()
    };
    let after = |times: &[i64]| {
        let before = times.iter().map(|it| soft(*it));
        let given = given(before).and([sample("message.requested")]);
        let given = given.claimed(claim(), CONTACT_POINT.0).by_service();
        let writes = given.at(samples::at(14 * 86_400)).when(bounced());
        writes.unwrap().iter().any(|write| {
            matches!(
                write,
                Write::Event(
                    _,
                    AnyEvent::ContactPoint(contact_point::Event::Suppressed {
                        reason: contact_point::Reason::SoftBounces,
                        ..
                    })
                )
            )
        })
    };
    assert!(after(&[1, 2, 3, 4]));
    assert!(!after(&[2, 3, 4]));
    assert!(!after(&[-1, 2, 3, 4]), "the first was too long ago");
}

#[test]
fn how_a_message_ended_is_recorded_once() {
    let sent = || given([sample("message.requested")]).by_service();
    assert_eq!(sent().when(end()), Ok(writes_of(["message.ended"])));
    let ended = sent().and([sample("message.ended")]).when(end());
    assert_eq!(ended, Err(Error::Over.into()));
    assert_eq!(
        given([]).by_service().when(end()),
        Err(Error::NotFound.into())
    );
}

#[test]
fn no_user_has_messages_sent_or_ends_them() {
    let user = || given([registered(SELLER), sample("message.requested")]).by(SELLER);
    let refused = Err(access::Error::Service.into());
    assert_eq!(user().when(request()), refused);
    assert_eq!(user().when(end()), refused);
}

/// The types of the events that follow from requests for so many messages, one every ten minutes.
fn requested_every_ten_minutes(count: i64, template: &Template) -> Vec<String> {
    let mut log = given([registered(SELLER)]).by_service();
    let mut types = Vec::new();
    for number in 0..count {
        log = log.at(samples::at(number * 600));
        let message_id = MessageId(Uuid::from_u128(0x1000 + u128::try_from(number).unwrap()));
        let request = Request {
            message_id,
            template: template.clone(),
            ..request()
        };
        let writes = log.execute(request).unwrap().into_iter();
        types.extend(writes.filter_map(|write| match write {
            Write::Event(_, event) => Some(event.encode().unwrap().event_type),
            Write::Claim(..) | Write::Release(_) => None,
        }));
    }
    types
}

#[test]
fn beyond_a_number_in_an_hour_messages_of_a_kind_wait_and_none_is_sent_earlier_than_that() {
    let per_hour_max = request().per_hour_max;
    assert_eq!(per_hour_max, 2);
    let (now, later) = ("message.requested", "message.deferred");
    let types = requested_every_ten_minutes(8, &Template::Welcome);
    // At minute 0 and 10; those of minute 20 to 50 are sent at minute 60 and 70, 120 and 130; and so on.
    assert_eq!(types[..3], [now, now, later]);
    assert!(types[2..].iter().all(|it| it == later), "{types:?}");
}

#[test]
fn messages_that_would_wait_for_a_day_are_not_sent() {
    let types = requested_every_ten_minutes(75, &Template::Welcome);
    let count = |wanted: &str| types.iter().filter(|it| *it == wanted).count();
    assert_eq!(count("message.requested"), 2);
    assert!(count("message.suppressed") > 0, "{types:?}");
}

#[test]
fn messages_of_another_kind_and_to_another_user_do_not_wait() {
    let mut log = given([registered(SELLER), registered(RIVAL)]).by_service();
    for number in 0..3 {
        let message_id = MessageId(Uuid::from_u128(0x1000 + number));
        let request = Request {
            message_id,
            ..request()
        };
        log.execute(request).unwrap();
    }
    let mut other = request();
    other.message_id = MessageId(Uuid::from_u128(0x2000));
    other.to.subject = RIVAL;
    let writes = log.when(other).unwrap();
    assert!(
        writes.iter().any(|write| matches!(
            write,
            Write::Event(_, AnyEvent::Message(Event::Requested { .. }))
        )),
        "{writes:?}"
    );
}

#[test]
fn a_report_that_comes_back_is_recorded_once_and_counts_for_the_address() {
    let bounce = || Bounce {
        message_id: MESSAGE,
        status: stated("5.1.1"),
        via: Via::Report,
        contact_point_id: CONTACT_POINT,
    };
    let sent = || given([sample("message.requested"), sample("message.ended")]).by_service();
    let mut expected = writes_of(["message.bounced", "contact_point.suppressed"]);
    expected.insert(1, Write::Claim(claim(), CONTACT_POINT.0));
    assert_eq!(sent().when(bounce()), Ok(expected));
    let again = sent().and([sample("message.bounced")]).when(bounce());
    assert_eq!(again, Err(Error::NotOut.into()));
    let late = sent().at(samples::at(14 * 86_400)).when(bounce());
    assert_eq!(late, Err(Error::NotOut.into()));
    let unknown = given([]).by_service().when(bounce());
    assert_eq!(unknown, Err(Error::NotFound.into()));
    let user = given([registered(SELLER), sample("message.requested")]).by(SELLER);
    let refused = Err(access::Error::Service.into());
    assert_eq!(user.when(bounce()), refused);
}

#[test]
fn a_mail_names_the_newest_words_of_its_category_if_there_are_any() {
    let wording = |events: &[&str], locale: &str| {
        let request = Request {
            locale: stated(locale),
            ..request()
        };
        let log = given([registered(SELLER)]).and(events.iter().map(|it| sample(it)));
        let writes = log.by_service().when(request).unwrap();
        writes.into_iter().find_map(|write| {
            if let Write::Event(_, AnyEvent::Message(Event::Requested { wording, .. })) = write {
                wording
            } else {
                None
            }
        })
    };
    let published = "template.published";
    let first = TemplateVersion {
        template_id: samples::TEMPLATE,
        version: 1,
    };
    assert_eq!(wording(&[], "en"), None);
    assert_eq!(wording(&[published], "en"), Some(first));
    assert_eq!(wording(&[published], "de"), None);
    assert_eq!(wording(&[published, "template.retired"], "en"), None);
}
