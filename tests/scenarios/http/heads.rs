//! The heads of requests to every route of both APIs: their hosts, methods, transfer codings and lists.

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Method;
use serde_json::json;
use tidemark_tests::{Answer, App};
use uuid::Uuid;

use super::raw::{RequestLine, connect, every_route, has_status, is_problem, send, status};

async fn app() -> App {
    App::builder().queries().start().await
}

#[tokio::test]
async fn a_request_names_one_valid_host() {
    let app = app().await;
    for route in every_route(&app).await {
        for hosts in [
            "",
            "host: a\r\nhost: a\r\n",
            "host: a\r\nhost: b\r\n",
            "host:\r\n",
            "host: a b\r\n",
            "host: a, b\r\n",
            "host: user@a\r\n",
            "host: a/b\r\n",
            "host: a:b\r\n",
            "host: :80\r\n",
            "host: [::1\r\n",
            "host: [a]\r\n",
        ] {
            is_problem(&route.send(hosts).await, 400, "invalid_host");
        }
    }
    assert_eq!(app.database.head().await, 0);
    for host in ["a", "A.example:80", "127.0.0.1", "[::1]:8080", "a:"] {
        let head = format!("GET /openapi.json HTTP/1.1\r\nhost: {host}\r\n");
        has_status(&send(app.command_url(), &head).await, 200);
    }
    let old = send(app.command_url(), "GET /openapi.json HTTP/1.0\r\n").await;
    has_status(&old, 200);
    for (target, status) in [
        ("http://b.example", 200),
        ("http://b.example:80", 200),
        ("http://user@b.example", 400),
        ("http://user:secret@a", 400),
        ("http://@a", 400),
    ] {
        let head = format!("GET {target}/openapi.json HTTP/1.1\r\nhost: a\r\n");
        has_status(&send(app.command_url(), &head).await, status);
    }
}

#[tokio::test]
async fn over_http_2_the_authority_is_the_host() {
    let app = app().await;
    let stream = TokioIo::new(connect(app.query_url()).await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut status = async |authority: &str, host: Option<&str>| {
        let request = hyper::Request::get(format!("http://{authority}/v1/auctions"));
        let request = match host {
            Some(host) => request.header("host", host),
            None => request,
        };
        let request = request.body(String::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status("a.example", None).await, 200);
    assert_eq!(status("a.example", Some("A.example")).await, 200);
    assert_eq!(status("a.example", Some("b.example")).await, 400);
    assert_eq!(status("user@a.example", None).await, 400);
    assert_eq!(status("user@a.example", Some("a.example")).await, 400);
}

#[tokio::test]
async fn only_bodies_in_chunks_are_decoded() {
    let app = app().await;
    for route in every_route(&app).await {
        for codings in [
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: identity,chunked\r\n",
            "transfer-encoding: chunked, chunked\r\n",
        ] {
            let answer = route.send(&format!("host: a\r\n{codings}")).await;
            is_problem(&answer, 501, "unsupported_transfer_coding");
        }
        // The end of such a body is not known, so the connection ends with the answer.
        let endless = route.send("host: a\r\ntransfer-encoding: gzip\r\n").await;
        has_status(&endless, 400);
    }
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn an_unknown_path_is_not_found_whatever_the_method() {
    let app = app().await;
    for url in [app.command_url(), app.query_url()] {
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW",
        ] {
            for path in ["/", "/v1/unknown", "/V1/auctions"] {
                let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n");
                is_problem(&send(url, &head).await, 404, "not_found");
            }
        }
        has_status(
            &send(url, "HEAD /v1/unknown HTTP/1.1\r\nhost: a\r\n").await,
            404,
        );
    }
}

#[tokio::test]
async fn two_accept_lines_are_one_list_and_an_empty_one_excludes_nothing() {
    let app = app().await;
    for route in every_route(&app).await {
        let answers = &route.media_type;
        let send = async |accept: &str| route.send(&format!("host: a\r\n{accept}")).await;
        let usual = status(&send("").await);
        for accepting in [
            format!("accept: video/mp4\r\naccept: {answers}\r\n"),
            format!("accept: {answers}\r\naccept: video/mp4\r\n"),
            "accept:\r\n".to_owned(),
            "accept: ,\r\naccept:\r\n".to_owned(),
        ] {
            has_status(&send(&accepting).await, usual);
        }
        for excluding in [
            format!("accept: video/mp4\r\naccept: {answers};q=0\r\n"),
            "accept:\r\naccept: video/mp4\r\n".to_owned(),
        ] {
            if !answers.is_empty() {
                is_problem(&send(&excluding).await, 406, "not_acceptable");
            }
        }
    }
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn a_client_that_excludes_what_a_route_answers_is_refused() {
    let app = app().await;
    for route in every_route(&app).await {
        if !route.media_type.is_empty() {
            let excluded = "accept: */*, application/json;q=0, text/*;q=0, image/*;q=0\r\n";
            let answer = route.send(&format!("host: a\r\n{excluded}")).await;
            is_problem(&answer, 406, "not_acceptable");
        }
    }
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn a_query_parameter_that_a_route_does_not_have_is_refused() {
    let app = app().await;
    for route in every_route(&app).await {
        if route.method != "OPTIONS" {
            let path = format!("{}?unheard_of=1", route.path);
            let route = RequestLine { path, ..route };
            // A credential is asked for first.
            let answer = route.send("host: a\r\nauthorization: Bearer x\r\n").await;
            is_problem(&answer, 422, "invalid");
        }
    }
    assert_eq!(app.database.head().await, 0);
}

/// The layer that compresses would answer 406 after the command has taken effect.
#[tokio::test]
async fn a_client_that_accepts_no_coding_is_answered_without_one() {
    let app = app().await;
    for accept_encoding in ["identity;q=0", "*;q=0", "gzip;q=0, *;q=0"] {
        let person = app.person();
        let client = app.client.with("accept-encoding", accept_encoding);
        let answer = client.post("/v1/users", &person.registration()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("content-encoding"), "");
    }
}

/// Those that link requests are read leniently, as their standards and the description have it.
#[tokio::test]
async fn a_cause_that_is_no_id_is_refused_and_what_links_requests_is_made_anew() {
    let app = app().await;
    let operator = app.service("operator");
    let rebuild = json!({"read_model": "auction", "order": "build", "reason": "A test."});
    let cause = Uuid::from_u128(0x0199_b3a4_5c7e_7d11_8f0e_2b6c_9d1e_4a77);
    let order = || {
        operator
            .command(Method::POST, "/v1/rebuilds")
            .json(&rebuild)
    };
    let caused_by = |cause: &str| Answer::to(order().header("x-causation-id", cause));
    for malformed in ["", "7", "not an id", &cause.simple().to_string()] {
        let refused = caused_by(malformed).await;
        refused.problem(400, "invalid_causation_id");
    }
    for header in ["x-causation-id", "x-reactor"] {
        let twice = order().header(header, "a").header(header, "a");
        Answer::to(twice).await.problem(400, "repeated_header");
    }
    assert_eq!(app.database.head().await, 0);

    caused_by(&cause.to_string()).await.ok();
    let sql = "select metadata ->> 'causation_id' from events where type = 'rebuild.ordered'";
    let recorded = sqlx::query_scalar::<_, String>(sql).fetch_all(&app.database.pool);
    assert_eq!(recorded.await.unwrap(), [cause.to_string()]);

    let linked = order()
        .header("x-correlation-id", "a")
        .header("traceparent", "a");
    let answer = Answer::to(linked).await.ok();
    assert!(
        Uuid::try_parse(answer.header("x-correlation-id")).is_ok(),
        "{answer:?}"
    );
    let twice = order().header("x-correlation-id", cause.to_string());
    let twice = twice.header("x-correlation-id", Uuid::nil().to_string());
    let made = Answer::to(twice).await.ok();
    let made = Uuid::try_parse(made.header("x-correlation-id")).unwrap();
    assert!(made != cause && !made.is_nil(), "{made}");
}
