//! What operators are answered.

use std::future::pending;
use std::sync::atomic::AtomicUsize;

use axum::extract::Extension;
use axum::routing::get as on_get;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::middleware;
use crate::telemetry;
use crate::testing;
use crate::testing::{config, config_with, get};

fn not_ready() -> (u16, String) {
    (503, "not_ready".to_owned())
}

#[tokio::test]
async fn a_process_without_checks_is_alive_and_ready() {
    let app = router(Readiness::new(), &config().http);
    let answer = get(&app, "/livez", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "status": "alive" }))
    );
    let answer = get(&app, "/readyz", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "status": "ready" }))
    );
}

#[tokio::test]
async fn each_failing_check_is_named() {
    let (database, caught_up) = (ReadinessFlag::default(), ReadinessFlag::default());
    let reached = database.clone();
    let readiness = Readiness::new()
        .check("database", move || {
            let is_reached = reached.0.load(Ordering::Relaxed);
            async move {
                if is_reached {
                    Ok(())
                } else {
                    Err("connection refused")
                }
            }
        })
        .flag("caught_up", &caught_up);
    let app = router(readiness, &config().http);

    let answer = get(&app, "/readyz", &[]).await;
    assert_eq!(answer.problem(), not_ready());
    assert_eq!(answer.header("retry-after"), "1");
    let missing = json!({ "database": "connection refused", "caught_up": "not yet" });
    assert_eq!(answer.json()["missing"], missing);

    database.set(true);
    let answer = get(&app, "/readyz", &[]).await;
    assert_eq!(answer.problem(), not_ready());
    assert_eq!(answer.json()["missing"], json!({ "caught_up": "not yet" }));

    caught_up.set(true);
    assert_eq!(get(&app, "/readyz", &[]).await.status, 200);
    caught_up.set(false);
    assert_eq!(get(&app, "/readyz", &[]).await.problem(), not_ready());
    assert_eq!(get(&app, "/livez", &[]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_fails_in_time() {
    let readiness = Readiness::new()
        .check("database", pending::<Result<(), String>>)
        .check("broker", pending::<Result<(), String>>);
    let started = tokio::time::Instant::now();
    let answer = get(&router(readiness, &config().http), "/readyz", &[]).await;
    let timeout = Duration::from_millis(config().http.readiness_timeout_ms);
    assert!(started.elapsed() < 2 * timeout);
    let missing = json!({ "database": "no answer in time", "broker": "no answer in time" });
    assert_eq!(answer.json()["missing"], missing);
}

#[tokio::test]
async fn a_process_that_stops_is_not_ready() {
    let token = CancellationToken::new();
    let shutdown = Extension(Shutdown(token.clone()));
    let app = router(Readiness::new(), &config().http).layer(shutdown);
    assert_eq!(get(&app, "/readyz", &[]).await.status, 200);
    token.cancel();
    let answer = get(&app, "/readyz", &[]).await;
    assert_eq!(answer.problem(), not_ready());
    assert_eq!(answer.json()["missing"], json!({ "running": "stopping" }));
    assert_eq!(get(&app, "/livez", &[]).await.status, 200);
}

#[tokio::test]
async fn requests_are_measured_by_route() {
    let config = config_with(&[("TIDEMARK_TELEMETRY__LOG", "off")]);
    telemetry::init(&config.telemetry).unwrap();
    let routes = Router::new().route("/v1/measured/{id}", on_get(|| async { "measured" }));
    let app = middleware::apply(routes, &config.http, testing::authenticator(&config))
        .merge(router(Readiness::new(), &config.http));
    for id in 0..3 {
        get(&app, &format!("/v1/measured/{id}"), &[]).await;
    }

    let answer = get(&app, "/metrics", &[]).await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = String::from_utf8(answer.body).unwrap();
    let labels = r#"method="GET",path="/v1/measured/{id}",status="2xx""#;
    let line = format!("tidemark_http_request_duration_seconds_count{{{labels}}} 3");
    assert!(
        text.lines().any(|found| found == line),
        "{line} is not in\n{text}"
    );
}

#[tokio::test]
async fn requests_of_operators_are_checked_as_all_others() {
    let app = router(Readiness::new(), &config().http);
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = get(&app, path, &[("host", "a"), ("host", "b")]).await;
        assert_eq!(answer.problem(), (400, "invalid_host".to_owned()), "{path}");
        let answer = get(&app, path, &[]).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn operators_are_answered_when_the_api_is_overloaded() {
    let mut config = config();
    config.http.in_flight_max = 0;
    let routes = Router::new().route("/v1/overloaded", on_get(|| async { "handled" }));
    let app = middleware::apply(routes, &config.http, testing::authenticator(&config))
        .merge(router(Readiness::new(), &config.http));
    assert_eq!(get(&app, "/v1/overloaded", &[]).await.status, 503);
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(get(&app, path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn requests_that_come_while_checks_run_share_their_result() {
    let (runs, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counted, released) = (Arc::clone(&runs), Arc::clone(&release));
    let readiness = Readiness::new().check("database", move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let released = Arc::clone(&released);
        async move {
            released.notified().await;
            Ok::<_, String>(())
        }
    });
    let app = router(readiness, &config().http);
    let (first, second, ()) = tokio::join!(
        get(&app, "/readyz", &[]),
        get(&app, "/readyz", &[]),
        async { release.notify_one() }
    );
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    release.notify_one();
    assert_eq!(get(&app, "/readyz", &[]).await.status, 200);
    assert_eq!(
        runs.load(Ordering::Relaxed),
        2,
        "the next one is checked anew"
    );
}
