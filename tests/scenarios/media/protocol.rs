//! What tus 1.0 asks of a server beside the way of the bytes, and how a client finds uploads whose URLs it has lost.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ImageFormat;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::picture;
use tidemark_tests::{App, Client};
use uuid::Uuid;

use super::resumed::{head, metadata, offset, open, open_for, send, sending};

fn of_tus(client: &Client, method: Method, path: &str) -> RequestBuilder {
    let request = client.command(method, path);
    request.header("tus-resumable", "1.0.0")
}

#[tokio::test]
async fn the_answer_that_opens_an_upload_says_when_it_expires() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = market.seller.with_key("an-upload-that-is-opened");
    let open = async || {
        let request = of_tus(&seller, Method::POST, "/v1/uploads");
        let request = request.header("upload-length", 1_000);
        let request = request.header("upload-metadata", metadata("image/png"));
        Answer::to(request).await.ok()
    };
    let opened = open().await;
    let path = opened.header("location");
    let shown = head(&seller, path).await;
    let expires = shown.headers()["upload-expires"].to_str().unwrap();
    assert!(expires.ends_with(" GMT"), "{expires}");
    assert_eq!(opened.header("upload-expires"), expires);
    // So it is if the answer was lost.
    let again = open().await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("upload-expires"), expires);
}

/// The name of a file may be about a person, and is not kept.
#[tokio::test]
async fn an_upload_says_what_is_kept_of_its_metadata() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = picture(40, 30, ImageFormat::Png);
    let path = open(seller, file.len()).await;
    let purpose = format!("purpose {}", STANDARD.encode("product_picture"));
    let typed = format!("{purpose},filetype {}", STANDARD.encode("image/png"));
    let said = head(seller, &path).await;
    assert_eq!(said.headers()["upload-metadata"], typed);
    send(seller, &path, 0, &file).await.ok();
    let said = head(seller, &path).await;
    assert_eq!(said.headers()["upload-metadata"], purpose);
}

/// Some clients, or what is between them and the server, know GET and POST alone.
#[tokio::test]
async fn a_post_is_taken_for_the_method_that_it_names() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = picture(40, 30, ImageFormat::Png);
    let path = open(seller, file.len()).await;
    let overriding = seller.with("x-http-method-override", "PATCH");
    let piece = |at: usize, end: usize| {
        let request = of_tus(&overriding, Method::POST, &path);
        let request = request.header("content-type", "application/offset+octet-stream");
        let request = request.header("upload-offset", at);
        Answer::to(request.body(file[at..end].to_vec()))
    };
    let sent = piece(0, 20).await.ok();
    assert_eq!((sent.status, sent.header("upload-offset")), (204, "20"));
    let reading = seller.with("x-http-method-override", "HEAD");
    let read = Answer::to(of_tus(&reading, Method::POST, &path)).await.ok();
    assert_eq!(read.header("upload-offset"), "20");
    piece(20, file.len()).await.ok();
    assert_eq!(app.database.count_of("media.stored").await, 1);
    let path = open(seller, 10).await;
    let ending = seller.with("x-http-method-override", "DELETE");
    let ended = Answer::to(of_tus(&ending, Method::POST, &path)).await.ok();
    assert_eq!(ended.status, 204);
    assert_eq!(head(seller, &path).await.status(), 410);
    // Nothing else speaks tus.
    let elsewhere = seller.with("x-http-method-override", "DELETE");
    let media = market.picture().await;
    let delete = format!("/v1/media/{media}/delete");
    elsewhere.post_empty(&delete).await.ok();
    let named = sending(&ending, "/v1/uploads", 0);
    assert_eq!(named.send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn uploads_whose_urls_were_lost_are_found_and_given_up() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__UPLOADS_PER_USER_MAX", "2")
        .start()
        .await;
    let (owner, other) = (app.seller().await, app.seller().await);
    let first = open(&owner, 1_000).await;
    let second = open_for(&owner, "avatar", 2_000).await;
    send(&owner, &first, 0, b"abc").await.ok();
    let refused = of_tus(&owner, Method::POST, "/v1/uploads");
    let refused = refused.header("upload-length", 10);
    let refused = refused.header("upload-metadata", metadata("image/png"));
    Answer::to(refused).await.problem(409, "too_many_uploads");
    let list = async |client: &Client| {
        let listed = Answer::to(client.command(Method::GET, "/v1/uploads"));
        listed.await.ok().body["items"].clone()
    };
    assert_eq!(list(&other).await, json!([]));
    let listed = list(&owner).await;
    for (position, path, purpose, length) in [
        (0, &first, "product_picture", 1_000),
        (1, &second, "avatar", 2_000),
    ] {
        let upload = &listed[position];
        assert_eq!(upload["url"], json!(path));
        let id: Uuid = path.rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(upload["id"], json!(id));
        assert_eq!(upload["purpose"], purpose);
        assert_eq!(upload["length"], length);
        assert!(upload["expires_at"].is_string(), "{upload}");
    }
    assert_eq!(offset(&owner, listed[0]["url"].as_str().unwrap()).await, 3);
    let given_up = of_tus(&owner, Method::DELETE, &first);
    Answer::to(given_up).await.ok();
    assert_eq!(list(&owner).await.as_array().unwrap().len(), 1);
    open(&owner, 1_000).await;
    let anonymous = app.client.command(Method::GET, "/v1/uploads");
    let refused = Answer::to(anonymous).await;
    refused.problem(401, "unauthenticated");
}
