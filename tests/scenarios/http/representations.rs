//! Documents with an `ETag`: a client that has one is not sent it again, and one that wants another is sent none.

use serde_json::json;
use tidemark_tests::{App, Client};

#[tokio::test]
async fn a_document_that_the_client_has_is_not_sent_again() {
    let app = App::builder().projector().queries().start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let product = market.listed().await;
    app.settle().await;
    let auditor = app.auditor().await;
    app.settle().await;
    let seller: &Client = &market.seller;
    for (client, path) in [
        (seller, format!("/v1/auctions/{auction}")),
        (seller, format!("/v1/products/{product}")),
        (seller, format!("/v1/categories/{}", market.category_id)),
        (seller, format!("/v1/sellers/{}", market.seller.id)),
        (seller, "/v1/me".to_owned()),
        (&*auditor, format!("/v1/audit/auctions/{auction}/state")),
    ] {
        let full = client.get(&path).await.ok();
        let tag = full.header("etag");
        assert!(tag.starts_with('"'), "{full:?}");
        for known in [
            tag.to_owned(),
            format!("W/{tag}"),
            format!("\"a\", {tag}"),
            "*".to_owned(),
        ] {
            let answer = client.with("if-none-match", known).get(&path).await;
            assert_eq!((answer.status, &*answer.text), (304, ""), "{path}");
            assert_eq!(answer.header("etag"), tag);
            assert!(!answer.header("tidemark").is_empty());
            assert_eq!(answer.header("content-type"), "");
        }
        for other in ["\"a\"", "W/\"99\"", "99", ""] {
            let answer = client.with("if-none-match", other).get(&path).await;
            assert_eq!((answer.status, &answer.body), (200, &full.body), "{path}");
        }

        for (wanted, status, code) in [
            (tag.to_owned(), 200, ""),
            (format!("\"a\", {tag}"), 200, ""),
            ("*".to_owned(), 200, ""),
            (format!("W/{tag}"), 412, "precondition_failed"),
            ("\"99\"".to_owned(), 412, "precondition_failed"),
            ("99".to_owned(), 400, "invalid_if_match"),
        ] {
            for coding in ["identity", "gzip"] {
                let client = client.with("accept-encoding", coding);
                // It counts before what the client has.
                let client = client
                    .with("if-match", &wanted)
                    .with("if-none-match", "\"a\"");
                let answer = client.get(&path).await;
                let found = (answer.status, answer.code());
                assert_eq!(found, (status, code), "{path} {wanted}: {answer:?}");
            }
        }

        let zipped = client.with("accept-encoding", "br, gzip");
        let answer = zipped.get(&path).await;
        assert_eq!(answer.header("content-encoding"), "gzip");
        assert_eq!(answer.header("etag"), format!("W/{tag}"));
        let again = zipped.with("if-none-match", answer.header("etag"));
        let again = again.get(&path).await;
        assert_eq!(
            (again.status, again.header("etag")),
            (304, answer.header("etag"))
        );
    }
}

/// A list has no tag, so it is at no version that a client could name.
#[tokio::test]
async fn a_list_is_at_no_version() {
    let app = App::builder().queries().start().await;
    let wants = |tag: &str| app.client.with("if-match", tag);
    wants("*").get("/v1/auctions").await.ok();
    let answer = wants("\"1\"").get("/v1/auctions").await;
    answer.problem(412, "precondition_failed");
}

#[tokio::test]
async fn a_problem_is_sent_to_whoever_has_a_document() {
    let app = App::builder().queries().start().await;
    let client = app.client.with("if-none-match", "*");
    let answer = client
        .get(&format!("/v1/auctions/{}", uuid::Uuid::nil()))
        .await;
    answer.problem(404, "not_found");
}
