//! Valid and forged credentials.

mod services;
mod tokens;

use axum::Router;
use axum::routing::get as on_get;
use chrono::TimeDelta;
use uuid::Uuid;

use super::{Authenticated, Issuer, Principal, Service, User};
use crate::middleware;
use crate::testing;
use crate::testing::{config, get, token};

/// Routes with one extractor each, which answer what it found.
fn app() -> Router {
    let config = config();
    let routes = Router::new()
        .route(
            "/v1/anyone",
            on_get(|who: Principal| async move { who.actor() }),
        )
        .route(
            "/v1/known",
            on_get(|Authenticated(who): Authenticated| async move { who.actor() }),
        )
        .route(
            "/v1/user",
            on_get(|user: User| async move { user.roles.join(" ") }),
        )
        .route(
            "/v1/service",
            on_get(|service: Service| async move { service.commands.join(" ") }),
        );
    middleware::apply(routes, &config.http, testing::authenticator(&config))
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_and_other_forms_are_refused() {
    let token = token(&config());
    for header in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}"),
    ] {
        let answer = get(&app(), "/v1/user", &[("authorization", &header)]).await;
        assert_eq!(answer.status, 200, "{header}");
        assert_eq!(answer.body, b"buyer");
    }
    for header in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {token} {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}\u{e9}"),
    ] {
        let answer = get(&app(), "/v1/anyone", &[("authorization", &header)]).await;
        assert_eq!(
            answer.problem(),
            (401, "invalid_token".to_owned()),
            "{header}"
        );
    }
}

/// RFC 6750, section 3.1: such a client is told no error, as one that sends nothing.
#[tokio::test]
async fn a_scheme_that_is_not_taken_is_no_fault_of_a_token() {
    let token = token(&config());
    for header in [
        String::new(),
        "Basic YTpi".to_owned(),
        "Basic".to_owned(),
        "Negotiate YII=".to_owned(),
        "Digest username=\"a\"".to_owned(),
        format!("Basic {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer:{token}"),
        "\u{e9} a".to_owned(),
        token.clone(),
    ] {
        for path in ["/v1/anyone", "/v1/known", "/v1/user", "/v1/service"] {
            let answer = get(&app(), path, &[("authorization", &header)]).await;
            let refused = (401, "unauthenticated".to_owned());
            assert_eq!(answer.problem(), refused, "{header}");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{header}");
        }
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_send() {
    let config = config();
    let before = testing::now() - TimeDelta::days(1);
    let issuer = Issuer::from_config(&config.auth).unwrap();
    let expired = issuer.issue(before, Uuid::nil(), &testing::user()).unwrap();
    for (header, words) in [
        (token(&config), "The scheme in the header"),
        ("Basic YTpi".to_owned(), "The scheme in the header"),
        (format!("Bearer {expired}"), "The access token has expired"),
        ("Bearer x".to_owned(), "The access token was not issued"),
        ("Service mailer:x".to_owned(), "No service has this name"),
    ] {
        let answer = get(&app(), "/v1/anyone", &[("authorization", &header)]).await;
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(words), "{header}: {detail}");
    }
}

#[tokio::test]
async fn a_refusal_names_its_reason_in_www_authenticate() {
    let bearer = format!("Bearer {}", token(&config()));
    for (path, headers, problem, challenge) in [
        ("/v1/user", vec![], (401, "unauthenticated"), "Bearer"),
        ("/v1/known", vec![], (401, "unauthenticated"), "Bearer"),
        ("/v1/service", vec![], (401, "unauthenticated"), "Bearer"),
        (
            "/v1/user",
            vec![("authorization", "Bearer x")],
            (401, "invalid_token"),
            "Bearer error=\"invalid_token\"",
        ),
        (
            "/v1/service",
            vec![("authorization", bearer.as_str())],
            (403, "insufficient_scope"),
            "Bearer error=\"insufficient_scope\"",
        ),
    ] {
        let answer = get(&app(), path, &headers).await;
        assert_eq!(
            answer.problem(),
            (problem.0, problem.1.to_owned()),
            "{path}"
        );
        assert_eq!(answer.header("www-authenticate"), challenge, "{path}");
    }
    let answer = get(&app(), "/v1/anyone", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice()),
        (200, &b"anonymous"[..])
    );
}
