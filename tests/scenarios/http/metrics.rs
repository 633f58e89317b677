//! What `/metrics` tells those who watch a process, and that clients cannot make it tell more.

use std::collections::BTreeSet;

use reqwest::Method;
use tidemark_tests::{Answer, App, Client};
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

#[tokio::test]
async fn clients_cannot_add_series() {
    let app = App::start().await;
    let process = app.spawn_command_api().await;
    let client = Client::anonymous(&process.url, &process.url);
    let document = client.get("/openapi.json").await.ok();
    let paths = document.body["paths"].as_object().unwrap();
    let routes: usize = paths
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();

    let mut seen = BTreeSet::new();
    for round in 0..2 {
        for path in paths.keys() {
            let path = path.replace("{id}", &Uuid::from_u128(round).to_string());
            for method in [
                "GET",
                "POST",
                "PUT",
                "DELETE",
                "HEAD",
                "OPTIONS",
                &format!("M{round}"),
            ] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let client = client.with("x-correlation-id", format!("round-{round}"));
                for path in [
                    &path,
                    &format!("{path}/{round}"),
                    &format!("/round-{round}"),
                ] {
                    let request = client.command(method.clone(), path);
                    Answer::to(request.body(format!("{{\"round\":{round}}}"))).await;
                }
            }
        }
        let metrics = scrape(&process.url).await;
        let requests = "tidemark_http_request_duration_seconds_count";
        let count = series(&metrics)
            .iter()
            .filter(|name| name.starts_with(requests))
            .count();
        // Of each route those that succeed, those that it refuses and those that never came to it.
        assert!(
            count <= 3 * routes + 2,
            "{count} series for {routes} routes"
        );
        let now: BTreeSet<String> = series(&metrics).into_iter().map(str::to_owned).collect();
        if round > 0 {
            assert_eq!(now, seen);
        }
        seen = now;
    }
}
