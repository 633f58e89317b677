//! Every route refuses alike what is wrong with a request apart from its body: the path, the method, the
//! headers, the caller, the id and the expected version. What is refused appends nothing.

use reqwest::Method;
use serde_json::json;
use tidemark_domain::PROCESS_MANAGERS;
use tidemark_tests::App;
use tidemark_tests::client::Answer;
use tidemark_tests::eventually;
use uuid::Uuid;

use super::routes;
use super::routes::{Audience, Route};

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, route: &Route) {
    let Route { method, path, .. } = route;
    assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    answer.any_problem();
}

/// The positive control of all other tests of this folder: each route accepts its request unchanged.
#[tokio::test]
async fn every_route_accepts_its_request() {
    let app = App::start().await;
    for route in routes::all(&app).await {
        match route.template {
            // Listing the routes made the first administrator, so this request is refused.
            "/v1/admins" => route.send().await.problem(409, "first_admin_exists"),
            "/v1/auctions/{id}/close" | "/v1/digests/{id}/close" => {
                eventually("the time to close it", || async {
                    let answer = route.send().await;
                    if answer.code() == "not_due" {
                        return None;
                    }
                    answer.ok();
                    Some(())
                })
                .await;
            }
            _ => {
                let answer = route.send().await.ok();
                assert_eq!(answer.position(), app.database.head().await);
            }
        }
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let app = App::start().await;
    let head = app.database.head().await;
    let id = Uuid::nil();
    for path in [
        "/".to_owned(),
        "/v1".to_owned(),
        "/v1/unknown".to_owned(),
        "/v1/users/".to_owned(),
        "/V1/users".to_owned(),
        format!("/v1/auctions/{id}/bids/{id}"),
        "/etc/passwd".to_owned(),
    ] {
        let answer = app.client.post(&path, &json!({})).await;
        answer.problem(404, "not_found");
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_allowed() {
    let app = App::start().await;
    let documented = routes::documented(&app).await;
    let operations = routes::operations(&app).await;
    let head = app.database.head().await;
    for (path, _) in &documented {
        let id = Uuid::nil().to_string();
        let url = path.replace("{id}", &id).replace("{role}", "buyer");
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ] {
            let name = method.as_str().to_lowercase();
            if operations.contains(&(path.clone(), name)) {
                continue;
            }
            let answer = Answer::to(app.client.command(method.clone(), &url)).await;
            answer.problem(405, "method_not_allowed");
            let allowed = documented.iter().filter(|(known, _)| known == path);
            for (_, method) in allowed {
                assert!(answer.header("allow").contains(&method.to_uppercase()));
            }
        }
        let trace = Answer::to(app.client.command(Method::TRACE, &url)).await;
        trace.problem(405, "method_not_allowed");
        assert!(!trace.header("allow").is_empty());
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_refused() {
    let app = App::start().await;
    let routes = routes::with_bodies(&app).await;
    let head = app.database.head().await;
    for route in routes {
        let text = route.body.as_ref().unwrap().to_string();
        for media_type in [
            None,
            Some("text/plain"),
            Some("text/plain; application/json"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=a"),
            Some("application/jsonp"),
        ] {
            let mut request = route.client.command(route.method.clone(), &route.path);
            if let Some(media_type) = media_type {
                request = request.header("content-type", media_type);
            }
            let answer = Answer::to(request.body(text.clone())).await;
            assert_refused(&answer, 415, &route);
        }
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn an_accept_header_that_excludes_json_is_refused() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let head = app.database.head().await;
    for route in routes.iter().filter(|route| route.answers_body()) {
        for media_type in ["text/html", "application/xml", "application/json;q=0"] {
            let client = route.client.with("accept", media_type);
            assert_refused(&route.send_as(&client).await, 406, route);
        }
    }
    assert_eq!(app.database.head().await, head);
    let drafting = routes
        .iter()
        .find(|r| r.template == "/v1/products")
        .unwrap();
    for media_type in ["*/*", "application/*", "text/html, application/json;q=0.1"] {
        let client = drafting.client.with("accept", media_type);
        drafting.send_as(&client).await.ok();
    }
}

/// One credential of each kind that we did not issue; `auth` in `platform` tests all of them.
#[tokio::test]
async fn protected_routes_refuse_missing_and_invalid_credentials() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let head = app.database.head().await;
    for route in &routes {
        if route.audience != Audience::Anybody {
            let answer = route.send_as(&app.client).await;
            assert_refused(&answer, 401, route);
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
        for credential in [
            "Bearer",
            "Bearer nonsense",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
            "Basic YTpi",
            "Negotiate YII=",
            "Service operator:wrong",
            "Service nobody:0123456789abcdef0123456789abcdef",
        ] {
            // Who logs in or refreshes a session may send a token that has expired.
            if route.audience == Audience::Anybody && credential.starts_with("Bearer") {
                continue;
            }
            let client = app.client.with("authorization", credential);
            let answer = route.send_as(&client).await;
            assert_refused(&answer, 401, route);
            let is_taken = credential.starts_with("Bearer") || credential.starts_with("Service");
            let challenge = if is_taken {
                ("invalid_token", "Bearer error=\"invalid_token\"")
            } else {
                ("unauthenticated", "Bearer")
            };
            let found = (answer.code(), answer.header("www-authenticate"));
            assert_eq!(found, challenge, "{credential}: {answer:?}");
        }
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn callers_without_the_role_or_the_object_are_refused() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let someone = app.user().await;
    let roleless = app.user().await;
    let path = format!("/v1/users/{}/roles/buyer", roleless.id);
    app.admin().await.delete(&path).await.ok();
    let head = app.database.head().await;
    for route in &routes {
        match route.audience {
            Audience::Anybody | Audience::User => {}
            Audience::Role("buyer") => assert_refused(&route.send_as(&roleless).await, 403, route),
            Audience::Role(_) => assert_refused(&route.send_as(&someone).await, 403, route),
            Audience::Owner => assert_refused(&route.send_as(&someone).await, 404, route),
            Audience::Service(_) => {
                assert_refused(&route.send_as(&someone).await, 403, route);
                assert_refused(&route.send_as(app.admin().await).await, 403, route);
            }
        }
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn services_send_only_the_commands_that_they_are_for() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let head = app.database.head().await;
    let services = ["query-api", "operator", "projector", "mail-server"];
    let services = services.map(|name| (name, app.service(name)));
    let reactors = PROCESS_MANAGERS
        .iter()
        .map(|it| (it.name, app.reactor(it.name)));
    for (service, client) in services.into_iter().chain(reactors) {
        for route in &routes {
            // How the sending of a message ended is put on record by whoever has sent it.
            let ends_messages = route.template == "/v1/messages/{id}/end" && service == "texter";
            // A service may not even do what anybody may, such as refresh a session.
            if route.audience != Audience::Service(service) && !ends_messages {
                let answer = route.send_as(&client).await;
                assert_refused(&answer, 403, route);
                assert_eq!(answer.code(), "command_not_allowed");
            }
        }
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn unknown_and_malformed_ids_are_refused() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let head = app.database.head().await;
    for route in routes.iter().filter(|route| route.has_id()) {
        let unknown = route.about_another("01890000-0000-7000-8000-000000000000");
        assert_refused(&unknown.send().await, 404, route);
        // This id exists, but it is that of a user.
        let auditor = app.admin().await.id.to_string();
        let foreign = route.about_another(&auditor);
        if !route.template.starts_with("/v1/users") {
            assert_refused(&foreign.send().await, 404, route);
        }
        for malformed in ["17", "not-an-id", "%2e%2e%2f", "a'%20or%201=1"] {
            let answer = route.about_another(malformed).send().await;
            assert_refused(&answer, 400, route);
        }
    }
    assert_eq!(app.database.head().await, head);
}

/// No stream of this test has 99 versions.
#[tokio::test]
async fn stale_and_malformed_if_match_headers_are_refused() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let head = app.database.head().await;
    // Their descriptions do not have the header.
    let takes_none = ["/v1/admins", "/v1/sessions", "/v1/sessions/refresh"];
    for route in routes
        .iter()
        .filter(|it| !takes_none.contains(&it.template))
    {
        let answer = route.send_as(&route.client.if_match(99)).await;
        // The auction or the digest is not due yet, and that is checked first.
        if route.template.ends_with("/close") && answer.status == 409 {
            continue;
        }
        assert_refused(&answer, 412, route);
        // A tag that is not ours is that of no version.
        for other in ["W/\"98\"", "\"-1\"", "\"98\", \"99\"", "\"a,b\""] {
            let client = route.client.with("if-match", other);
            assert_refused(&route.send_as(&client).await, 412, route);
        }
        for malformed in ["99", "\"99", "\"98\" \"99\"", "*, \"99\"", ""] {
            let client = route.client.with("if-match", malformed);
            assert_refused(&route.send_as(&client).await, 400, route);
        }
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn who_sends_no_credential_is_told_so_before_the_faults_of_the_body() {
    let app = App::start().await;
    let for_everybody = ["/v1/users", "/v1/sessions", "/v1/sessions/refresh"];
    for mut route in routes::with_bodies(&app).await {
        if for_everybody.contains(&route.template) {
            continue;
        }
        route.body = Some(json!({}));
        let answer = route.send_as(&app.client).await;
        answer.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_reactor_is_named_by_the_projector_alone() {
    let app = App::start().await;
    let path = format!("/v1/auctions/{}/open", Uuid::nil());
    for service in ["query-api", "operator"] {
        let client = app.service(service).with("x-reactor", "auction-timer");
        let answer = client.post_empty(&path).await;
        answer.problem(403, "insufficient_scope");
    }
    let unknown = app.reactor("of-a-newer-build").post_empty(&path).await;
    unknown.problem(403, "insufficient_scope");
    let known = app.reactor("auction-timer").post_empty(&path).await;
    known.problem(404, "auction_not_found");
}
