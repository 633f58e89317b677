//! URLs of requests, lists of headers, failures of handlers, and the headers of every response.

use axum::body::Body;
use axum::http::Method;
use futures::future::join_all;

use super::{app, app_with};
use crate::testing;
use crate::testing::{get, request, send};

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let answer = get(&app(), "/v1/nothing", &[]).await;
    assert_eq!(answer.problem(), (404, "not_found".to_owned()));
    assert_eq!(answer.json()["title"], "Not found");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_support_is_refused() {
    let app = app();
    let answer = send(
        &app,
        request(Method::DELETE, "/v1/orders", &[], Body::empty()),
    )
    .await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(answer.header("allow"), "POST");
    for method in [Method::TRACE, Method::CONNECT] {
        let answer = send(&app, request(method, "/v1/orders", &[], Body::empty())).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn urls_and_headers_are_limited() {
    let app = app();
    let url = format!("/v1/filter?text={}", "a".repeat(8192));
    assert_eq!(
        get(&app, &url, &[]).await.problem(),
        (414, "url_too_long".to_owned())
    );
    let long = "a".repeat(17_000);
    let answer = get(&app, "/v1/filter", &[("x-long", &long)]).await;
    assert_eq!(answer.problem(), (431, "headers_too_large".to_owned()));
    let many = vec![("x-many", "1"); 101];
    assert_eq!(
        get(&app, "/v1/filter", &many).await.problem(),
        (431, "headers_too_large".to_owned())
    );
}

#[tokio::test]
async fn repeated_and_unacceptable_parameters_are_refused() {
    let app = app();
    let answer = get(&app, "/v1/filter?limit=7&text=a%20b", &[]).await;
    assert_eq!(
        (&answer.json()["limit"], &answer.json()["text"]),
        (&7.into(), &"a b".into())
    );
    let repeated = get(&app, "/v1/filter?limit=1&limit=2", &[]).await;
    assert_eq!(repeated.problem(), (400, "repeated_parameter".to_owned()));
    for (query, parameter) in [
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("limit=101", "limit"),
        ("limt=1", "limt"),
    ] {
        let answer = get(&app, &format!("/v1/filter?{query}"), &[]).await;
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{query}");
        assert_eq!(answer.pointers(), [parameter], "{query}");
    }
    assert_eq!(
        get(&app, "/v1/filter?text=%00", &[]).await.problem(),
        (400, "malformed_url".to_owned())
    );
    assert_eq!(
        get(&app, "/v1/orders/%00", &[]).await.problem(),
        (400, "malformed_url".to_owned())
    );
    let misfit = get(&app, "/v1/orders/7", &[]).await;
    assert_eq!(misfit.problem(), (400, "invalid_path".to_owned()));
    assert_eq!(misfit.json()["detail"], "`id` must be a UUID.");
    for bytes in ["%FF", "%C0%80", "%ED%A0%80", "%C3"] {
        let answer = get(&app, &format!("/v1/orders/{bytes}"), &[]).await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_path".to_owned()),
            "{bytes}"
        );
        assert_eq!(answer.json()["detail"], "`id` must be UTF-8.");
    }
    let id = "01890a5dac96774bbcceb302099a8057";
    for form in [id, &format!("urn:uuid:{id}"), &format!("%7B{id}%7D")] {
        let answer = get(&app, &format!("/v1/orders/{form}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_path".to_owned()), "{form}");
    }
}

#[tokio::test]
async fn only_configured_origins_are_allowed() {
    let app = app_with(&[("TIDEMARK_HTTP__CORS_ORIGINS", "https://tidemark.example")]);
    let preflight = |origin: &'static str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
        ];
        request(Method::OPTIONS, "/v1/orders", &headers, Body::empty())
    };
    let answer = send(&app, preflight("https://tidemark.example")).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://tidemark.example"
    );
    assert_eq!(answer.header("access-control-max-age"), "7200");
    let allowed = answer.header("access-control-allow-headers");
    for name in ["traceparent", "if-match", "if-none-match", "tidemark"] {
        assert!(allowed.split(',').any(|it| it == name), "{allowed}");
    }
    let own = [("origin", "https://tidemark.example")];
    let answer = get(&app, "/v1/filter", &own).await;
    let exposed = answer.header("access-control-expose-headers");
    for name in ["idempotency-replayed", "location", "tidemark"] {
        assert!(exposed.split(',').any(|it| it == name), "{exposed}");
    }
    for origin in [
        "https://evil.example",
        "null",
        "https://tidemark.example.evil.tld",
    ] {
        let answer = send(&app, preflight(origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let answer = get(&app, "/v1/filter", &[("origin", origin)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn a_secret_in_the_url_is_refused() {
    for name in [
        "token",
        "api_key",
        "access_token",
        "password",
        "Token",
        "%74oken",
    ] {
        let answer = get(&app(), &format!("/v1/filter?{name}=x"), &[]).await;
        assert_eq!(
            answer.problem(),
            (400, "secret_in_url".to_owned()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let token = format!("Bearer {}", testing::token(&testing::config()));
    let twice = [
        ("authorization", token.as_str()),
        ("authorization", token.as_str()),
    ];
    assert_eq!(
        get(&app(), "/v1/user", &twice).await.problem(),
        (400, "repeated_header".to_owned())
    );
}

#[tokio::test]
async fn two_marks_of_how_recent_an_answer_must_be_are_refused() {
    for name in ["tidemark", "last-event-id"] {
        let answer = get(&app(), "/v1/filter", &[(name, "1.1"), (name, "1.2")]).await;
        assert_eq!(answer.problem(), (400, "repeated_header".to_owned()));
        assert_eq!(
            get(&app(), "/v1/filter", &[(name, "1.1")]).await.status,
            200
        );
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_handlers_are_answered_without_their_cause() {
    let app = app();
    for path in ["/v1/broken", "/v1/panicking"] {
        let answer = get(&app, path, &[]).await;
        assert_eq!(answer.problem(), (500, "internal".to_owned()));
        assert!(!answer.json().to_string().contains("hunter2"), "{answer:?}");
    }
    let answer = get(&app, "/v1/stuck", &[]).await;
    assert_eq!(answer.problem(), (503, "timeout".to_owned()));
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test(start_paused = true)]
async fn requests_over_the_limit_are_refused() {
    let app = app_with(&[
        ("TIDEMARK_HTTP__IN_FLIGHT_MAX", "6"),
        ("TIDEMARK_EXECUTOR__QUEUE_MAX", "4"),
        ("TIDEMARK_EXECUTOR__QUEUE_PER_PRINCIPAL_MAX", "1"),
        ("TIDEMARK_EXECUTOR__QUEUE_SERVICES_MAX", "1"),
    ]);
    let stuck = join_all((0..6).map(|_| get(&app, "/v1/stuck", &[])));
    let (stuck, refused) = tokio::join!(stuck, get(&app, "/v1/filter", &[]));
    assert_eq!(refused.problem(), (503, "overloaded".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    for stuck in stuck {
        assert_eq!(stuck.problem().1, "timeout");
    }
    assert_eq!(get(&app, "/v1/filter", &[]).await.status, 200);
}

/// After any other status it would never connect again.
#[tokio::test(start_paused = true)]
async fn an_event_source_is_told_of_what_passes_as_an_event() {
    let app = app_with(&[("TIDEMARK_HTTP__EVENT_RETRY_MS", "1500")]);
    let accept = [("accept", "text/event-stream"), ("accept-encoding", "gzip")];
    let answer = get(&app, "/v1/stuck/live", &accept).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("content-encoding"), "");
    let text = String::from_utf8(answer.body).unwrap();
    let begin = "retry: 1500\n\nevent: end\ndata: {\"type\":\"/problems/timeout\"";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.ends_with("}\n\n"), "{text}");
    // What does not pass ends it.
    let answer = get(&app, "/v1/nothing", &accept[..1]).await;
    assert_eq!(answer.problem(), (404, "not_found".to_owned()));
    // That of a browser sends no mark of how recent the answer must be.
    let marked = [accept[0], ("tidemark", "1.1")];
    let answer = get(&app, "/v1/stuck/live", &marked).await;
    assert_eq!(answer.problem(), (503, "timeout".to_owned()));
    // What is no live update is no stream of events.
    let answer = get(&app, "/v1/stuck", &accept[..1]).await;
    assert_eq!(answer.problem(), (503, "timeout".to_owned()));
    // Whoever takes problems, too, is answered one.
    let accept = [("accept", "text/event-stream, application/problem+json")];
    let answer = get(&app, "/v1/stuck/live", &accept).await;
    assert_eq!(answer.problem(), (503, "timeout".to_owned()));
}

#[tokio::test]
async fn every_response_has_the_headers_for_browsers() {
    for path in ["/v1/filter", "/v1/nothing", "/v1/broken"] {
        let answer = get(&app(), path, &[]).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert!(answer.header("server").is_empty());
    }
}

#[tokio::test]
async fn a_problem_is_compressed() {
    let answer = get(&app(), "/v1/nothing", &[("accept-encoding", "gzip")]).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
}
