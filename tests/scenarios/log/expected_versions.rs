//! A command that names the version it expects with `If-Match` changes that version or nothing.

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::App;

#[tokio::test]
async fn a_command_with_a_stale_version_changes_nothing() {
    let app = App::start().await;
    let market = app.market().await;
    let product = market.draft().await;
    let (list, withdraw) = (
        format!("/v1/products/{product}/list"),
        format!("/v1/products/{product}/withdraw"),
    );
    let head = app.database.head().await;
    for stale in [0, 2, i64::MAX] {
        let answer = market.seller.if_match(stale).post_empty(&list).await;
        answer.problem(412, "precondition_failed");
        assert_eq!(answer.body["version"], 1);
    }
    assert_eq!(app.database.head().await, head);

    let listed = market.seller.if_match(1).post_empty(&list).await.ok();
    assert_eq!((listed.version(), listed.header("etag")), (2, "\"2\""));
    let stale = market.seller.if_match(1).post_empty(&withdraw).await;
    stale.problem(412, "precondition_failed");
    // The next command may name the version that the answer carried.
    let client = market.seller.with("if-match", listed.header("etag"));
    client.post_empty(&withdraw).await.ok();
}

#[tokio::test]
async fn one_of_several_versions_may_be_expected() {
    let app = App::start().await;
    let market = app.market().await;
    let product = market.draft().await;
    let list = format!("/v1/products/{product}/list");
    for other in ["W/\"2\"", "\"2\", \"3\""] {
        let client = market.seller.with("if-match", other);
        let answer = client.post_empty(&list).await;
        answer.problem(412, "precondition_failed");
    }
    let client = market.seller.with("if-match", "\"3\", W/\"2\", \"1\"");
    client.post_empty(&list).await.ok();
}

/// A browser is sent compressed documents, whose tags are weak.
#[tokio::test]
async fn a_command_takes_the_tag_of_a_compressed_document() {
    let app = App::builder().projector().queries().start().await;
    let market = app.market().await;
    let product = market.draft().await;
    let path = format!("/v1/products/{product}");
    app.settle().await;
    let browser = market.seller.with("accept-encoding", "gzip");
    let read = browser.get(&path).await;
    let tag = read.header("etag");
    assert!(tag.starts_with("W/\"1."), "{tag}");
    let listed = market.seller.with("if-match", tag);
    listed.post_empty(&format!("{path}/list")).await.ok();
    let withdraw = format!("{path}/withdraw");
    let stale = listed.post_empty(&withdraw).await;
    stale.problem(412, "precondition_failed");
    app.settle().await;
    let read = market.seller.get(&path).await;
    let current = market.seller.with("if-match", read.header("etag"));
    current.post_empty(&withdraw).await.ok();
}

#[tokio::test]
async fn a_command_takes_no_if_none_match() {
    let app = App::start().await;
    let market = app.market().await;
    let product = market.draft().await;
    let list = format!("/v1/products/{product}/list");
    for tag in ["*", "\"1\""] {
        let client = market.seller.with("if-none-match", tag);
        let answer = client.post_empty(&list).await;
        answer.problem(400, "unexpected_if_none_match");
        client
            .post_empty("/v1/nothing")
            .await
            .problem(404, "not_found");
    }
    market.seller.post_empty(&list).await.ok();
}

/// Else the version of anything could be learnt by whoever has its id.
#[tokio::test]
async fn who_may_not_know_a_thing_does_not_learn_its_version() {
    let app = App::start().await;
    let market = app.market().await;
    let product = market.draft().await;
    let list = format!("/v1/products/{product}/list");
    let other = app.seller().await.if_match(99);
    other.post_empty(&list).await.problem(403, "not_the_seller");
    let session = format!("/v1/sessions/{}", market.seller.session_id);
    for session in [session, format!("/v1/sessions/{}", uuid::Uuid::nil())] {
        let answer = other.delete(&session).await;
        answer.problem(404, "session_not_found");
    }
}

#[tokio::test]
async fn the_expected_version_is_optional() {
    let app = App::start().await;
    let market = app.market().await;
    let product = market.draft().await;
    let any = market.seller.with("if-match", "*");
    any.post_empty(&format!("/v1/products/{product}/list"))
        .await
        .ok();
    let body = market.terms(product, json!({})).await;
    market
        .seller
        .if_match(0)
        .post("/v1/auctions", &body)
        .await
        .ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_commands_that_expect_one_version_one_succeeds() {
    let app = App::start().await;
    fifty_at_once(&app, &[app.command_url()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_commands_to_two_processes_that_expect_one_version_one_succeeds() {
    let app = App::start().await;
    let second = app.spawn_command_api().await;
    fifty_at_once(&app, &[app.command_url(), &second.url]).await;
}

/// Every command names the same version, and would be accepted if it came alone.
async fn fifty_at_once(app: &App, command_urls: &[&str]) {
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let bidders = [app.user().await, app.user().await, app.user().await];
    // The first bid also opens the auction, which is an event of its own.
    for (round, version, events) in [(1, 1, 2), (2, 3, 1), (3, 4, 1), (4, 5, 1)] {
        let head = app.database.head().await;
        let bids = (0..50).map(|n| {
            let bidder = bidders[n % bidders.len()].if_match(version);
            let bidder = bidder.via_command_api(command_urls[n % command_urls.len()]);
            let amount = round * 1_000_000 + i64::try_from(n).unwrap() * 1_000;
            async move { bidder.bid(auction, amount).await }
        });
        let answers = join_all(bids).await;
        let accepted: Vec<_> = answers.iter().filter(|answer| answer.is_ok()).collect();
        assert_eq!(accepted.len(), 1, "round {round}");
        for answer in answers.iter().filter(|answer| !answer.is_ok()) {
            answer.problem(412, "precondition_failed");
        }
        assert_eq!(accepted[0].version(), version + events);
        assert_eq!(app.database.head().await, head + events);
    }
}
