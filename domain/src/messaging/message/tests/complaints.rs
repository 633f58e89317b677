//! What follows if a recipient complains of a mail.

use tidemark_events::messaging::contact_point::{Reason, Scope};
use tidemark_events::samples::LATER_MESSAGE;

use super::*;

fn complain(message_id: MessageId) -> Complain {
    Complain {
        message_id,
        contact_point_id: CONTACT_POINT,
    }
}

#[test]
fn a_complaint_is_recorded_once_and_stops_what_need_not_be_told() {
    let mut sent = given([sample("message.deferred")]).by_service();
    let writes = sent.execute(complain(LATER_MESSAGE)).unwrap();
    let AnyEvent::ContactPoint(mut suppressed) = sample("contact_point.suppressed") else {
        panic!("not a contact point")
    };
    if let contact_point::Event::Suppressed {
        message_id,
        scope,
        reason,
        until,
        ..
    } = &mut suppressed
    {
        *message_id = LATER_MESSAGE;
        (*scope, *reason, *until) = (Scope::AllButCritical, Reason::Complaint, None);
    }
    let mut expected = writes_of(["message.complained"]);
    expected.push(Write::Claim(claim(), CONTACT_POINT.0));
    expected.push(Write::event(CONTACT_POINT.0, suppressed));
    assert_eq!(writes, expected);
    let again = sent.when(complain(LATER_MESSAGE));
    assert_eq!(again, Err(Error::NotOut.into()));
    // Of another mail it is on record, and changes nothing.
    let other = sent
        .and([sample("message.requested")])
        .when(complain(MESSAGE));
    assert_eq!(other.unwrap().len(), 1);
}

#[test]
fn a_complaint_of_no_mail_or_one_of_long_ago_changes_nothing() {
    let nothing = given([]).by_service().when(complain(MESSAGE));
    assert_eq!(nothing, Err(Error::NotFound.into()));
    let late = given([sample("message.requested")])
        .by_service()
        .at(samples::at(14 * 86_400));
    assert_eq!(late.when(complain(MESSAGE)), Err(Error::NotOut.into()));
    let user = given([registered(SELLER), sample("message.requested")]).by(SELLER);
    let refused = Err(access::Error::Service.into());
    assert_eq!(user.when(complain(MESSAGE)), refused);
}
