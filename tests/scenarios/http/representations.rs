//! Documents with an `ETag`: a client that has one is not sent it again, and one that wants another is sent none.

use image::ImageFormat;
use serde_json::json;
use tidemark_tests::pictures::picture;
use tidemark_tests::{Answer, App, Client, eventually};

use super::description::has_one_document;
use crate::tasks;

/// The path of every document that one of the APIs describes, and of the descriptions themselves, each with a client that
/// asks the API which has it.
async fn documents(app: &App) -> Vec<(Client, String)> {
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let product = market.listed().await;
    let reader = app.auditor().await;
    app.grant(&reader, "operator").await;
    app.grant(&reader, "seller").await;
    let reader = app.log_in_again(&reader).await;
    let (task, run) = tasks::cancelled_run(&reader).await;
    let file = picture(4, 3, ImageFormat::Png);
    let media = reader.upload("image/png", file).await.ok().id();
    // The id of an upload is that of its media.
    let upload = media;
    app.settle().await;
    let of_paths = [
        ("/v1/auctions/{id}", auction),
        ("/v1/audit/auctions/{id}/state", auction),
        ("/v1/products/{id}", product),
        ("/v1/categories/{id_or_slug}", market.category_id),
        ("/v1/sellers/{id}", market.seller.id),
        ("/v1/media/{id}", media),
        ("/v1/uploads/{id}", upload),
        ("/v1/tasks/{id}", task),
        ("/v1/task-runs/{id}", run),
    ];
    let filled = |path: &str| {
        let path = path.replace("{code}", "internal");
        let known = of_paths.iter().find(|(template, _)| *template == path);
        let filled = known.map_or(path, |(path, id)| {
            let id = id.to_string();
            path.replace("{id}", &id).replace("{id_or_slug}", &id)
        });
        assert!(!filled.contains('{'), "nothing is listed for {filled}");
        filled
    };
    let mut documents = Vec::new();
    for url in [app.command_url(), app.query_url()] {
        let client = reader.via_query_api(url);
        let description = client.get("/openapi.json").await.ok().body;
        let paths = description["paths"].as_object().unwrap().iter();
        let of_documents = paths.filter(|(_, item)| has_one_document(&item["get"]));
        let paths = of_documents.map(|(path, _)| filled(path));
        let paths = paths.chain(["/openapi.json".to_owned()]);
        documents.extend(paths.map(|path| (client.clone(), path)));
    }
    documents
}

#[tokio::test]
async fn a_document_that_the_client_has_is_not_sent_again() {
    let app = App::start_all().await;
    let documents = documents(&app).await;
    assert!(documents.len() >= 15, "{documents:?}");
    let operator = app.user_with("operator").await;
    for (client, path) in &documents {
        // Each reading of history is a new event for the relay.
        await_idle_relay(&operator).await;
        assert_not_sent_again(client, path).await;
        assert_sent_as_wanted(client, path).await;
    }
}

/// Waits until the relay has published everything.
async fn await_idle_relay(operator: &Client) {
    eventually("the relay to be idle", || async {
        let status = operator.get("/v1/operations/relay").await.ok();
        (status.body["condition"] == "idle").then_some(())
    })
    .await;
}

async fn assert_not_sent_again(client: &Client, path: &str) {
    let full = client.get(path).await.ok();
    let tag = full.header("etag");
    assert!(tag.starts_with('"'), "{path}: {full:?}");
    for known in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"a\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = client.with("if-none-match", known).get(path).await;
        assert_eq!((answer.status, &*answer.text), (304, ""), "{path}");
        assert_eq!(answer.header("etag"), tag);
        let reflects = |answer: &Answer| !answer.header("tidemark").is_empty();
        assert_eq!(reflects(&answer), reflects(&full), "{path}");
        assert_eq!(answer.header("content-type"), "");
    }
    for other in ["\"a\"", "W/\"99\"", "99", ""] {
        let answer = client.with("if-none-match", other).get(path).await;
        assert_eq!((answer.status, &answer.body), (200, &full.body), "{path}");
    }

    let zipped = client.with("accept-encoding", "br, gzip");
    let answer = zipped.get(path).await;
    assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
    assert_eq!(answer.header("etag"), format!("W/{tag}"));
    let again = zipped.with("if-none-match", answer.header("etag"));
    let again = again.get(path).await;
    assert_eq!(
        (again.status, again.header("etag")),
        (304, answer.header("etag"))
    );
}

async fn assert_sent_as_wanted(client: &Client, path: &str) {
    let full = client.get(path).await.ok();
    let tag = full.header("etag");
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
            let answer = client.get(path).await;
            // A kind of problem has a code too.
            let refused = if answer.is_ok() { "" } else { answer.code() };
            let found = (answer.status, refused);
            assert_eq!(found, (status, code), "{path} {wanted}: {answer:?}");
        }
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
