//! Whoever watches an auction sees its updates in their order, none taken back, and the same last one as
//! everybody else.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};
use tidemark_tests::market::INCREMENT;
use tidemark_tests::proxy::{Direction, Fault, Slowness};
use tidemark_tests::{Answer, App, Client, Proxy};
use uuid::Uuid;

/// A client that watches an auction, or another document.
pub(crate) struct Watcher {
    response: Response,
    text: String,
}

/// A live update: the document, with the token that the stream resumes at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveUpdate {
    pub(crate) id: String,
    pub(crate) document: Value,
}

impl LiveUpdate {
    pub(crate) fn position(&self) -> i64 {
        let (_, position) = self.id.split_once('.').unwrap();
        position.parse().unwrap()
    }

    fn is_last(&self) -> bool {
        self.document["status"] == "closed"
    }
}

impl Watcher {
    pub(crate) async fn open(client: &Client, auction: Uuid) -> Self {
        Self::open_at(client, &format!("/v1/auctions/{auction}/live")).await
    }

    /// Watches the document whose live updates are at this path.
    pub(crate) async fn open_at(client: &Client, path: &str) -> Self {
        let request = client.query(path);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            response,
            text: String::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> LiveUpdate {
        loop {
            let event = self.next_event().await;
            let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
            // A comment only keeps the connection open.
            if let Some(data) = field("data: ") {
                return LiveUpdate {
                    id: field("id: ").unwrap().to_owned(),
                    document: serde_json::from_str(data).unwrap(),
                };
            }
        }
    }

    async fn next_event(&mut self) -> String {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                return self.text.drain(..end + 2).collect();
            }
            let chunk = self.response.chunk().await.unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The updates up to the one that shows the auction as closed.
    async fn rest(&mut self) -> Vec<LiveUpdate> {
        let mut updates = Vec::new();
        while !updates.last().is_some_and(LiveUpdate::is_last) {
            updates.push(self.next().await);
        }
        updates
    }
}

#[track_caller]
pub(crate) fn assert_positions_rise(updates: &[LiveUpdate]) {
    let rises = |pair: &[LiveUpdate]| pair[0].position() < pair[1].position();
    assert!(updates.windows(2).all(rises), "{updates:#?}");
    let counts: Vec<_> = updates
        .iter()
        .map(|update| update.document["bid_count"].as_i64())
        .collect();
    assert!(counts.is_sorted(), "{counts:?}");
}

#[tokio::test]
async fn watchers_see_rising_states_resume_where_they_were_and_end_with_the_same() {
    let app = App::start_all().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let ends_at = app.database.in_seconds(8).await;
    let auction = market.auction(json!({"ends_at": ends_at})).await;
    app.settle().await;
    let elsewhere = app.another_query_api().await;
    let mut watchers = [
        Watcher::open(&app.client, auction).await,
        Watcher::open(&app.client.via_query_api(&elsewhere.url), auction).await,
    ];
    let first = watchers[0].next().await;
    assert_eq!(first.document["bid_count"], 0);
    for step in 0..20 {
        buyer.bid(auction, 1_000 + step * INCREMENT).await.ok();
    }
    let [one, other] = &mut watchers;
    let (mut seen, also_seen) = tokio::join!(one.rest(), other.rest());
    seen.insert(0, first);
    assert_positions_rise(&seen);
    assert_positions_rise(&also_seen);
    let last = seen.last().unwrap();
    assert_eq!(
        also_seen.last(),
        Some(last),
        "both watchers end with the same update"
    );
    let path = format!("/v1/auctions/{auction}");
    let document: Answer = app.client.with_tidemark(&last.id).get(&path).await.ok();
    assert_eq!(document.body, last.document);

    // A watcher that resumes after any update gets only newer ones, through any replica.
    for update in &seen[..seen.len() - 1] {
        let client = app.client.via_query_api(&elsewhere.url);
        let client = client.with("last-event-id", &update.id);
        let resumed = Watcher::open(&client, auction).await.rest().await;
        assert!(resumed[0].position() > update.position(), "{resumed:?}");
        assert_eq!(resumed.last(), Some(last));
    }
}

#[tokio::test]
async fn many_watchers_who_come_at_once_wait_for_their_turn() {
    const WATCHERS: usize = 500;
    let mut app = App::builder().projector().queries().start().await;
    let market = app.market().await;
    let auctions = [
        market.auction(json!({})).await,
        market.auction(json!({})).await,
    ];
    app.settle().await;
    // All could not read their first document in the time that one waits for a connection.
    app.settings
        .set("TIDEMARK_DATABASE__ACQUIRE_TIMEOUT_MS", "5000");
    app.settings.set("TIDEMARK_HTTP__PROXIES", "1");
    let postgres = Proxy::before_postgres(&mut app.settings, "READ").await;
    postgres.set(
        Direction::Up,
        Fault::Slow(Slowness {
            latency: Duration::from_millis(60),
            ..Slowness::default()
        }),
    );
    let api = app.another_query_api().await;
    let client = app.client.via_query_api(&api.url);
    let come = async |number: usize| {
        let client = client.with("x-forwarded-for", format!("192.0.2.{}", number % 200));
        Watcher::open(&client, auctions[number % 2]).await
    };
    let mut watchers = join_all((0..WATCHERS).map(come)).await;
    for watcher in &mut watchers {
        assert_eq!(watcher.next().await.document["bid_count"], 0);
    }
}
