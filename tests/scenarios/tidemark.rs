//! Row 84: positions that a client hands back, where no read model moves: nothing follows this log.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tidemark_tests::{App, Client};

async fn ask(client: &Client, tidemark: &str) -> tidemark_tests::Answer {
    client.at_least(tidemark).get("/v1/categories").await
}

#[tokio::test]
async fn row_84_forged() {
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
async fn row_84_above_the_head_or_of_another_timeline() {
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
async fn row_84_a_wait_ends_in_time() {
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
    // Whoever asks for nothing in particular is not kept waiting.
    let answer = app.client.get("/v1/categories").await.ok();
    assert_eq!(answer.tidemark(), "1.0");
}
