//! Who publishes templates, and which words messages use.

use tidemark_events::AggregateEvent;
use tidemark_events::samples::{BIDDER, TEMPLATE, stated};

use super::*;
use crate::given::{ADMIN, Given, given, granted, registered, sample, writes_of};

fn publish() -> Publish {
    Publish {
        channel: Channel::Mail,
        locale: stated("en"),
        category: MessageCategory::Welcome,
        words: Checked::of_mail(
            MessageCategory::Welcome,
            Some(stated("Good to see you, {{ name }}")),
            stated("Hello {{ name }}"),
        ),
    }
}

const RETIRE: Retire = Retire {
    template_id: TEMPLATE,
};

fn operator() -> Given {
    given([registered(ADMIN), granted(ADMIN, Role::Operator)]).by(ADMIN)
}

#[test]
fn an_operator_publishes_words_again_and_again_and_retires_them() {
    assert_eq!(publish().template_id(), TEMPLATE);
    let mut log = operator();
    let published = log.execute(publish());
    assert_eq!(published, Ok(writes_of(["template.published"])));
    assert_eq!(log.execute(RETIRE), Ok(writes_of(["template.retired"])));
    assert_eq!(log.when(RETIRE), Err(Error::Retired.into()));
    let again = log.execute(publish()).unwrap();
    let [Write::Event(_, event)] = &again[..] else {
        panic!("one event: {again:?}")
    };
    let Some(Event::Published { version, .. }) = Event::from_event(event) else {
        panic!("not published: {event:?}")
    };
    assert_eq!(*version, 3);
    assert_eq!(operator().when(RETIRE), Err(Error::NotFound.into()));
}

/// Words that name what such messages do not have.
fn faulty() -> Publish {
    let words = Checked::of_mail(
        MessageCategory::Welcome,
        Some(stated("Hello")),
        stated("{{ nmae }}"),
    );
    Publish { words, ..publish() }
}

#[test]
fn words_that_cannot_be_used_are_refused_with_the_reason() {
    let refused = operator().when(faulty()).unwrap_err();
    assert_eq!(refused.code.name, "template_faulty");
    assert_eq!(refused.field, Some("body"));
    assert!(refused.detail.contains("`nmae`"), "{refused:?}");
}

#[test]
fn nobody_but_an_operator_decides_what_messages_say() {
    let user = given([registered(BIDDER), sample("template.published")]).by(BIDDER);
    for refused in [user.when(publish()), user.when(faulty()), user.when(RETIRE)] {
        assert_eq!(refused.unwrap_err().code.name, "role_required");
    }
}
