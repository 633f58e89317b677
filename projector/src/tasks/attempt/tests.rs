use hyper::StatusCode;

use super::*;

/// What a server asks for by this value of `Retry-After`, at Sun, 06 Nov 1994 08:49:07 GMT.
fn asked(value: &str) -> Option<u32> {
    let value = value.parse().unwrap();
    attempt(Ok(answer(200, Some(value)))).unwrap().retry_after_s
}

fn answer(status: u16, retry_after: Option<HeaderValue>) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after,
        body: Vec::new(),
    }
}

/// What came of a call at that time.
fn attempt(call: Result<Answer, Failure>) -> Option<Attempt> {
    let now = DateTime::from_timestamp(784_111_747, 0).unwrap();
    Attempt::of(call, now)
}

#[test]
fn servers_ask_by_a_number_or_by_a_date_of_any_form() {
    for (value, expected) in [
        ("0", 0),
        ("120", 120),
        // The examples of RFC 9110.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
        ("Sun Nov  6 08:49:37 1994", 30),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
    ] {
        assert_eq!(asked(value), Some(expected), "{value}");
    }
}

#[test]
fn what_is_too_long_counts_as_the_longest_time() {
    for value in [
        "86401",
        "4294967296",
        "18446744073709551616",
        &"9".repeat(1_000),
        "Tue, 08 Nov 1994 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        assert_eq!(asked(value), Some(86_400), "{value}");
    }
}

#[test]
fn what_is_neither_asks_for_nothing() {
    for value in ["", "-1", "+1", "1.5", "soon", "1 minute", "Sun, 06 Nov"] {
        assert_eq!(asked(value), None, "{value}");
    }
}

#[test]
fn who_has_too_much_to_do_was_reached_and_is_spared() {
    for (status, expected) in [
        (200, Contact::Answered),
        (404, Contact::Answered),
        (429, Contact::Unanswered),
        (500, Contact::Answered),
        (502, Contact::Unanswered),
        (503, Contact::Answered),
        (504, Contact::Unanswered),
    ] {
        let contact = attempt(Ok(answer(status, None))).unwrap().contact;
        assert_eq!(contact, Some(expected), "{status}");
    }
}

#[test]
fn a_call_without_an_answer_shows_of_its_server_how_far_it_came() {
    for (failure, outcome, contact) in [
        (Failure::Forbidden, Outcome::AddressForbidden, None),
        (
            Failure::Unreachable,
            Outcome::Unreachable,
            Some(Contact::Unreachable),
        ),
        (
            Failure::NotConnected,
            Outcome::TimedOut,
            Some(Contact::Unreachable),
        ),
        (Failure::CutOff, Outcome::TimedOut, None),
        (
            Failure::BrokenOff,
            Outcome::Unreachable,
            Some(Contact::Unanswered),
        ),
        (
            Failure::Unanswered,
            Outcome::TimedOut,
            Some(Contact::Unanswered),
        ),
    ] {
        let attempt = attempt(Err(failure)).unwrap();
        assert_eq!((attempt.outcome, attempt.contact), (outcome, contact));
    }
    assert!(attempt(Err(Failure::NoPlace)).is_none(), "it is made later");
}
