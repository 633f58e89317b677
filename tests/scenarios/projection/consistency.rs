//! A query never shows less than the position that its `Tidemark` header names: a client reads its own
//! writes and never goes back, through any replica.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::market::INCREMENT;
use tidemark_tests::{Answer, App, Client};
use tokio_util::sync::CancellationToken;

const BIDS: i64 = 40;

#[tokio::test]
async fn a_client_reads_its_own_writes_through_any_replica() {
    let app = App::start_all().await;
    let elsewhere = app.another_query_api().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let replicas = [(*buyer).clone(), buyer.via_query_api(&elsewhere.url)];
    for (count, replica) in (1..=BIDS).zip(replicas.iter().cycle()) {
        let amount = 1_000 + count * INCREMENT;
        let bid = buyer.bid(auction, amount).await.ok();
        let replica = replica.with_tidemark(bid.tidemark());
        let read = replica.get(&format!("/v1/auctions/{auction}")).await.ok();
        assert_eq!(read.body["bid_count"], count, "{read:?}");
        assert_eq!(read.body["version"], bid.version(), "{read:?}");
        assert!(read.position() >= bid.position(), "{read:?}");
        for path in [&format!("/v1/auctions/{auction}/bids"), "/v1/me/bids"] {
            let bids = replica.get(&format!("{path}?limit=1")).await.ok();
            assert_eq!(
                bids.body["items"][0]["amount"]["amount"], amount,
                "{bids:?}"
            );
            assert!(bids.position() >= bid.position(), "{bids:?}");
        }
    }
}

/// The client hands back the highest position that it has seen.
#[tokio::test]
async fn reads_through_two_replicas_are_monotonic() {
    let app = App::start_all().await;
    let elsewhere = app.another_query_api().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    app.settle().await;
    let over = CancellationToken::new();
    let writing = async {
        for step in 0..BIDS {
            buyer.bid(auction, 1_000 + step * INCREMENT).await.ok();
        }
        over.cancel();
    };
    let reading = async {
        let paths = [
            format!("/v1/auctions/{auction}"),
            format!("/v1/auctions?seller={}", market.seller.id),
        ];
        let replicas = [app.client.clone(), app.client.via_query_api(&elsewhere.url)];
        let mut seen = (app.client.get(&paths[0]).await.ok(), 0);
        let mut reads = 0;
        while !over.is_cancelled() {
            // Reads both documents through both replicas, in turn.
            let (path, replica) = (&paths[reads / 2 % 2], &replicas[reads % 2]);
            let answer = replica
                .with_tidemark(seen.0.tidemark())
                .get(path)
                .await
                .ok();
            let listed = answer.body.pointer("/items/0");
            let document = listed.unwrap_or(&answer.body);
            let count = document["bid_count"].as_i64().unwrap();
            assert!(answer.position() >= seen.0.position(), "{answer:?}");
            assert!(count >= seen.1, "{count} after {}: {answer:?}", seen.1);
            seen = (answer, count);
            reads += 1;
        }
        assert!(seen.1 > 0, "nothing changed while it read");
    };
    tokio::join!(writing, reading);
}

async fn ask(client: &Client, tidemark: &str) -> Answer {
    client.with_tidemark(tidemark).get("/v1/categories").await
}

#[tokio::test]
async fn malformed_tokens_are_refused() {
    let app = App::builder().queries().start().await;
    for forged in [
        "",
        "1",
        "a.b",
        "1.-1",
        "1.01",
        "1.2.3",
        "1.9223372036854775808",
        "1 .2",
        "x1.2",
    ] {
        let answer = ask(&app.client, forged).await;
        answer.problem(400, "invalid_tidemark");
    }
}

#[tokio::test]
async fn tokens_beyond_the_head_or_of_another_timeline_are_refused() {
    let app = App::builder().queries().start().await;
    app.user().await;
    let head = app.database.head().await;
    for future in [head + 1, i64::MAX] {
        let answer = ask(&app.client, &format!("1.{future}")).await;
        answer.problem(400, "future_position");
    }
    ask(&app.client, "2.1").await.problem(409, "other_timeline");
}

#[tokio::test]
async fn a_query_waits_for_its_token_for_a_bounded_time() {
    let app = App::builder()
        .queries()
        .set("TIDEMARK_QUERY__WAIT_MS", 300)
        .start()
        .await;
    app.user().await;
    let tidemark = format!("1.{}", app.database.head().await);
    let started = Instant::now();
    let waits = (0..200).map(|_| ask(&app.client, &tidemark));
    for answer in join_all(waits).await {
        answer.problem(503, "behind");
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(5));
    // A query without a token does not wait.
    let answer = app.client.get("/v1/categories").await.ok();
    assert_eq!(answer.tidemark(), "1.0");
}
