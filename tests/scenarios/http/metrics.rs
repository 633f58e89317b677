//! What `/metrics` tells those who watch a process, and that clients cannot make it tell more.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use tidemark_domain::PROCESS_MANAGERS;
use tidemark_read_models::folds;
use tidemark_tests::{App, Client, eventually};
use uuid::Uuid;

use crate::observability::promtool;

/// The labels of the series of a histogram differ in its buckets, which are no choice of a client.
fn series(metrics: &str) -> BTreeSet<&str> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.rsplit_once(' '));
    names.map(|(name, _)| name).collect()
}

async fn scrape(url: &str) -> String {
    Client::anonymous(url, url).get("/metrics").await.ok().text
}

#[tokio::test]
async fn every_metric_says_what_it_means() {
    let app = App::start_all().await;
    let market = app.market().await;
    app.settle().await;
    let path = format!("/v1/categories/{}", market.category_id);
    market.seller.get(&path).await.ok();
    let metrics = scrape(app.command_url()).await;
    let named = |kind| {
        let lines = metrics
            .lines()
            .filter_map(move |line| line.strip_prefix(kind));
        lines.map(|line| line.split(' ').next().unwrap())
    };
    let described: BTreeSet<&str> = named("# HELP ").collect();
    for name in named("# TYPE ") {
        assert!(described.contains(name), "{name} is not in metrics.txt");
        let is_ours = name.starts_with("tidemark_") || name.starts_with("process_");
        assert!(is_ours, "{name}");
    }
    for name in [
        "tidemark_build_info",
        "tidemark_projection_lag_events",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
    ] {
        assert!(described.contains(name), "{name}");
    }
    assert_eq!(promtool(&["check", "metrics"], &metrics), "");
}

/// The names that clients of this test make up begin like this, and no metric may hold one.
const MADE_UP: &str = "made-up";

/// The methods that every path is sent, one of which nobody knows.
fn methods(round: u128) -> Vec<Method> {
    let unknown = format!("M{round}");
    let names = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", &unknown,
    ];
    let methods = names.map(|name| Method::from_bytes(name.as_bytes()).unwrap());
    methods.into()
}

/// Sends what a client can choose in a request of each method to a path and to paths like it: ids, names, parameters, headers and
/// bodies. What is answered does not matter, so long as it is.
async fn send_all(client: &Client, template: &str, round: u128) {
    let made_up = format!("{MADE_UP}-{round}");
    let id = Uuid::from_u128(round).to_string();
    let path = template.replace("{id}", &id);
    let named = path.split('/').map(|part| {
        if part.starts_with('{') {
            &*made_up
        } else {
            part
        }
    });
    let path = named.collect::<Vec<_>>().join("/");
    let client = client
        .with("x-correlation-id", &made_up)
        .with("user-agent", &made_up)
        .with("tidemark", format!("1.{round}"));
    for method in methods(round) {
        for path in [
            path.clone(),
            format!("{path}?cursor={made_up}&{made_up}=1"),
            format!("{path}/{made_up}"),
        ] {
            let request = client.command(method.clone(), &path);
            let request = request.body(json!({ "name": made_up }).to_string());
            let answer = request.send().await.unwrap();
            assert_ne!(answer.status(), 500, "{method} {path}");
        }
    }
}

/// The series after two rounds of requests to each of these paths, of which the second may add none.
async fn series_after_requests(url: &str, token: &str, paths: &[String]) -> BTreeSet<String> {
    let anonymous = Client::anonymous(url, url);
    let user = anonymous.with_token(token);
    let mut seen = BTreeSet::new();
    for round in 0..2 {
        for path in paths {
            for client in [&anonymous, &user] {
                send_all(client, path, round).await;
            }
        }
        let metrics = scrape(url).await;
        assert!(!metrics.contains(MADE_UP), "{metrics}");
        let now: BTreeSet<String> = series(&metrics).into_iter().map(str::to_owned).collect();
        let is_new = |name: &&String| round > 0 && !seen.contains(*name);
        let added: Vec<_> = now.iter().filter(is_new).collect();
        assert_eq!(added, [""; 0], "{url}");
        seen = now;
    }
    seen
}

#[tokio::test]
async fn clients_cannot_add_series() {
    let app = App::start().await;
    let user = app.user().await;
    let command_api = app.spawn_command_api().await;
    let query_api = app.spawn_query_api().await;
    for (url, api) in [&command_api.url, &query_api.url]
        .into_iter()
        .zip(tidemark_tests::apis())
    {
        let items = api["paths"].as_object().unwrap();
        let paths: Vec<_> = items.keys().cloned().collect();
        let routes: usize = items.values().map(|it| it.as_object().unwrap().len()).sum();
        let series = series_after_requests(url, &user.access_token, &paths).await;
        let requests = "tidemark_http_request_duration_seconds_count";
        let count = series
            .iter()
            .filter(|name| name.starts_with(requests))
            .count();
        // Of each route those that succeed, those that it refuses and those that never came to it.
        assert!(
            count <= 3 * routes + 2,
            "{count} series for {routes} routes"
        );
    }
}

/// It has no API, but the routes for operators are at a port that others may reach.
#[tokio::test]
async fn whoever_reaches_the_port_of_a_projector_cannot_add_series() {
    let app = App::start().await;
    let projector = app.spawn_projector().await;
    // The auctions and the products have documents in Redis.
    let positions = folds().len() + PROCESS_MANAGERS.len() + 2;
    eventually("everything to follow the log", || async {
        let metrics = scrape(&projector.url).await;
        // Actions are counted from time to time.
        let are_counted = metrics.contains("tidemark_reactor_given_up_actions{");
        (are_counted && metrics.matches("_position{").count() == positions).then_some(())
    })
    .await;
    let paths = ["/livez", "/readyz", "/metrics", "/v1/{name}"].map(str::to_owned);
    series_after_requests(&projector.url, "none", &paths).await;
}
