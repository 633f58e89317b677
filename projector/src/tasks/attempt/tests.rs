use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::tasks::http_client::client;

/// What a server asks for by this value of `Retry-After`, at Sun, 06 Nov 1994 08:49:07 GMT.
fn asked(value: &str) -> Option<u32> {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
    let now = DateTime::from_timestamp(784_111_747, 0).unwrap();
    retry_after_s(&headers, now)
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
        let attempt = Attempt {
            status: Some(status),
            ..Attempt::without_answer(Outcome::Refused)
        };
        assert_eq!(attempt.contact(), Some(expected), "{status}");
    }
    let forbidden = Attempt::without_answer(Outcome::AddressForbidden);
    assert_eq!(forbidden.contact(), None);
}

/// What a call of this URL shows of its server.
async fn contact(url: &str) -> Option<Contact> {
    let allowed = ["127.0.0.1".to_owned()];
    let time_limit = Duration::from_millis(500);
    let client = client(&allowed, time_limit, time_limit * 2).unwrap();
    let error = client.get(url).send().await.unwrap_err();
    Attempt::failed(&error).contact()
}

/// The address of a server that reads nothing, says this, and hangs up.
async fn server(says: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(says).await;
        }
    });
    address.to_string()
}

#[tokio::test]
async fn a_server_that_takes_connections_was_reached_whatever_it_does_then() {
    let hangs_up = server(b"").await;
    let speaks_otherwise = server(b"+OK ready\r\n").await;
    for url in [
        format!("http://{hangs_up}/"),
        format!("https://{hangs_up}/"),
        format!("http://{speaks_otherwise}/"),
        format!("https://{speaks_otherwise}/"),
    ] {
        assert_eq!(contact(&url).await, Some(Contact::Unanswered), "{url}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_connection_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refuses = contact(&format!("http://{address}/")).await;
    assert_eq!(refuses, Some(Contact::Unreachable));
}
