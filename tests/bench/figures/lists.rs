//! Lists and searches among very many auctions, each asked for at a fixed rate once Postgres knows the rows.

use std::time::Duration;

use tidemark_tests::many_rows::{category, fill, hot_auction, person, root};
use tidemark_tests::{Answer, App, Deployment};

use super::reads::readers;
use crate::load::at_rate;
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 1 + LISTS;
/// How many lists are measured.
const LISTS: u64 = 13;

/// Requests a second.
const RATE: f64 = 50.0;
/// The most that the slowest hundredth of the answers of a list may take, in milliseconds.
const P99_MS: f64 = 20.0;
/// Which page is a deep one.
const DEEP: usize = 30;

/// Measures each list, for a third of the duration.
pub(crate) async fn measure(
    auctions: i64,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("rows for lists");
    let deployment = Deployment::start().await;
    let app = &deployment.app;
    fill(app, app.user().await.id, auctions).await;
    for (what, path) in lists(app).await {
        progress.step(what);
        let mut clients = readers(&deployment.query_api.url, &path).await;
        let measured = at_rate(&mut clients, RATE, duration / 3).await;
        let name = format!("{what}, of {auctions} auctions, arriving at {RATE:.0}/s");
        let figure = Figure::rate(name, &measured, "lists/s");
        table.add(figure.with_latencies(&measured.latencies));
        let p99 = quantile_ms(&measured.latencies, 0.99);
        let figure = Figure::new(format!("p99 of {what}"), p99, "ms");
        table.add(figure.target(Target::AtMost(P99_MS)));
    }
}

/// What is asked for, and the path.
async fn lists(app: &App) -> [(&'static str, String); 13] {
    let (one, seller, hot) = (category(7), person(7), hot_auction());
    let auctions = |query: String| format!("/v1/auctions?{query}");
    [
        (
            "open auctions, those that end first",
            auctions("status=open".into()),
        ),
        ("all auctions", auctions(String::new())),
        (
            "closed auctions, the newest first",
            auctions("sort=newest&status=closed".into()),
        ),
        (
            "auctions by price",
            auctions("sort=price&currency=EUR&status=open".into()),
        ),
        (
            "open auctions of a category",
            auctions(format!("category={one}&status=open")),
        ),
        (
            "auctions below a category of all",
            auctions(format!("category={}", root())),
        ),
        (
            "closed auctions of a seller",
            auctions(format!("seller={seller}&status=closed")),
        ),
        ("a search for a common word", auctions("q=common".into())),
        (
            "a search for a rare word",
            auctions("q=rare&status=closed".into()),
        ),
        (
            "a search for a word that no title has",
            auctions("q=absent".into()),
        ),
        (
            "products of a category",
            format!("/v1/products?category={one}"),
        ),
        (
            "bids on an auction that has very many",
            format!("/v1/auctions/{hot}/bids"),
        ),
        (
            "a deep page of closed auctions",
            deep(app, "/v1/auctions?status=closed&limit=100").await,
        ),
    ]
}

/// The path of a page that comes late in a list.
async fn deep(app: &App, list: &str) -> String {
    let mut path = list.to_owned();
    for _ in 1..DEEP {
        // The rows are made up, and lack what no list looks at, so the page does not fit its schema.
        let page = app.client.query(&path).send().await.unwrap();
        let page = Answer::of(page).await.ok();
        path = format!("{list}&cursor={}", page.body["next"].as_str().unwrap());
    }
    path
}
