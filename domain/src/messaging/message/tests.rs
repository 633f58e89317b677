//! Who has messages sent, and what is on record of them.

use tidemark_events::Event as AnyEvent;
use tidemark_events::samples::{MESSAGE, SELLER, stated};

use super::*;
use crate::given::{given, registered, sample, writes_of};

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
    }
}

fn end() -> End {
    End {
        message_id: MESSAGE,
        outcome: Outcome::Accepted,
        status: Some(stated("250 2.0.0")),
    }
}

#[test]
fn a_service_has_a_message_sent_that_is_of_use_for_a_day() {
    let requested = given([]).by_service().when(request());
    assert_eq!(requested, Ok(writes_of(["message.requested"])));
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
