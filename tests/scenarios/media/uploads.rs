//! Uploads in one request: what is kept of them, what is refused, and what a request that is sent again does.

use std::path::Path;

use futures::SinkExt;
use futures::channel::mpsc;
use image::ImageFormat;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{UPLOADS, noise, picture};
use tidemark_tests::{App, Client, eventually};

/// The bytes of a picture that everybody may get.
async fn bytes(client: &Client, path: &str) -> Vec<u8> {
    let response = client.query(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_picture_is_seen_by_everybody_in_all_sizes_and_its_document_by_its_owner() {
    let app = App::start_all().await;
    let market = app.market().await;
    let file = picture(1_200, 900, ImageFormat::Jpeg);
    let uploaded = market.seller.upload("image/jpeg", file).await.ok();
    assert_eq!(uploaded.status, 201);
    let id = uploaded.id();
    assert_eq!(uploaded.header("location"), format!("/v1/media/{id}"));
    let seller = market.seller.with_tidemark(uploaded.tidemark());
    let media = seller.get(&format!("/v1/media/{id}")).await.ok();
    assert_eq!(media.body["purpose"], "product_picture");
    assert_eq!(media.body["shown_by"], json!(null));
    let sizes = media.body["variants"].as_array().unwrap();
    assert_eq!(sizes.len(), 6);
    let stranger = app.client.with_tidemark(uploaded.tidemark());
    for size in sizes {
        let variant = size["variant"].as_str().unwrap();
        let found = bytes(&stranger, &format!("/v1/media/{id}/{variant}")).await;
        assert_eq!(found.len() as u64, size["bytes"]);
        let decoded = image::load_from_memory(&found).unwrap();
        assert_eq!(decoded.width(), size["width"]);
        assert_eq!(decoded.height(), size["height"]);
    }
    let other = app.user().await.with_tidemark(uploaded.tidemark());
    let path = format!("/v1/media/{id}");
    other.get(&path).await.problem(404, "not_found");
    stranger.get(&path).await.problem(401, "unauthenticated");
    let listed = seller.get("/v1/media").await.ok();
    assert_eq!(listed.body["items"][0], media.body);
    let of_other = other.get("/v1/media").await.ok();
    assert_eq!(of_other.body["items"], json!([]));
}

#[tokio::test]
async fn the_type_of_a_file_is_found_out_if_it_is_not_stated() {
    let app = App::start_all().await;
    let market = app.market().await;
    let file = picture(40, 30, ImageFormat::Png);
    let of_any_type = "Application/Octet-Stream";
    let stored = market.seller.upload(of_any_type, file.clone()).await.ok();
    let reader = market.seller.with_tidemark(stored.tidemark());
    let media = reader.get(&format!("/v1/media/{}", stored.id())).await.ok();
    assert_eq!(media.body["variants"][0]["picture_type"], "image/png");
    let untyped = market.seller.command(Method::POST, UPLOADS).body(file);
    Answer::to(untyped).await.ok();
    let text = b"plain text".to_vec();
    let refused = market.seller.upload(of_any_type, text).await;
    refused.problem(422, "picture_rejected");
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_leaves_nothing() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let png = picture(8, 8, ImageFormat::Png);
    let truncated = png[..png.len() - 20].to_vec();
    for (media_type, file, status, code) in [
        ("image/jpeg", png.clone(), 422, "picture_rejected"),
        ("image/png", truncated, 422, "picture_rejected"),
        ("image/png", b"<svg/>".to_vec(), 422, "picture_rejected"),
        (
            "image/svg+xml",
            b"<svg/>".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (
            "text/html",
            b"<html>".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (
            "multipart/form-data; boundary=a",
            png.clone(),
            415,
            "unsupported_media_type",
        ),
        ("image/png", Vec::new(), 411, "length_required"),
    ] {
        let answer = seller.upload(media_type, file).await;
        answer.problem(status, code);
    }
    let purpose = "/v1/media?purpose=wallpaper";
    let request = seller.command(Method::POST, purpose);
    let answer = Answer::to(request.header("content-type", "image/png").body(png)).await;
    answer.problem(422, "invalid");
    assert_eq!(files(&app), 0, "what was refused leaves nothing");
    let open = app.database.count_of("media_account.reserved").await;
    let released = app.database.count_of("media_account.released").await;
    assert_eq!(open, released);
}

/// Begins to upload a file of noise, and breaks off once the store keeps a part of it.
async fn break_off(app: &App, client: &Client, file: &[u8]) {
    let (mut sender, body) = mpsc::channel::<std::io::Result<Vec<u8>>>(1);
    let request = client.command(Method::POST, UPLOADS);
    let request = request.header("content-type", "image/png");
    let request = request.header("content-length", file.len());
    let sending = tokio::spawn(request.body(reqwest::Body::wrap_stream(body)).send());
    sender.send(Ok(file[..140_000].to_vec())).await.unwrap();
    eventually("a part to be kept", || async {
        (files(app) > 0).then_some(())
    })
    .await;
    sending.abort();
}

/// How many files the store keeps.
pub(super) fn files(app: &App) -> usize {
    below(&app.database.media_folder())
}

/// How many parts of uploads the store keeps.
pub(super) fn parts(app: &App) -> usize {
    below(&app.database.media_folder().join("uploads"))
}

/// The number of files below a folder.
fn below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { below(&path) } else { 1 }
        })
        .sum()
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_refused_before_it_is_sent() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PRODUCT_PICTURE_BYTES_MAX", "1000")
        .start()
        .await;
    let market = app.market().await;
    let file = vec![0; 1_001];
    let refused = market.seller.upload("image/png", file).await;
    refused.problem(413, "body_too_large");
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>("a")]));
    let request = market.seller.command(Method::POST, UPLOADS);
    let request = request.header("content-type", "image/png").body(chunked);
    Answer::to(request).await.problem(411, "length_required");
    assert_eq!(files(&app), 0);
}

#[tokio::test]
async fn an_upload_that_is_sent_again_acts_once() {
    let app = App::start_all().await;
    let market = app.market().await;
    let seller = market.seller.with_key("the-same-upload-twice");
    let file = picture(640, 480, ImageFormat::Png);
    let first = seller.upload("image/png", file.clone()).await.ok();
    let again = seller.upload("image/png", file).await.ok();
    assert_eq!(again.id(), first.id());
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body["version"], first.body["version"]);
    let reader = market.seller.with_tidemark(again.tidemark());
    reader.get(&format!("/v1/media/{}", first.id())).await.ok();
    let stored = app.database.count_of("media.stored").await;
    assert_eq!(stored, 1);
    assert_only_stored_media_count(&app).await;
}

/// The key of a request stands for its bytes.
#[tokio::test]
async fn another_file_under_the_key_of_an_upload_is_refused() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = market.seller.with_key("the-key-of-one-upload");
    let png = picture(40, 30, ImageFormat::Png);
    // What follows the end of a picture is no part of it.
    let file = [png.clone(), vec![0]].concat();
    seller.upload("image/png", file.clone()).await.ok();
    for other in [[png.clone(), vec![1]].concat(), png] {
        let refused = seller.upload("image/png", other).await;
        refused.problem(422, "idempotency_key_reused");
    }
    let of_another_type = seller.upload("application/octet-stream", file).await;
    of_another_type.problem(422, "idempotency_key_reused");
    assert_eq!(app.database.count_of("media.stored").await, 1);
    assert_only_stored_media_count(&app).await;
}

/// As where its answer was lost.
#[tokio::test]
async fn an_upload_that_took_the_last_room_can_be_sent_again() {
    let file = picture(640, 480, ImageFormat::Png);
    let room = file.len() + 500_000;
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PER_USER_BYTES_MAX", room.to_string())
        .set("TIDEMARK_MEDIA__FILE_OVERHEAD_BYTES", "0")
        .start()
        .await;
    let market = app.market().await;
    let seller = market.seller.with_key("an-upload-for-the-last-room");
    let large = [file.clone(), vec![0; 499_000]].concat();
    let first = seller.upload("image/png", large.clone()).await.ok();
    let full = market.seller.upload("image/png", vec![0; room - 1]).await;
    full.problem(409, "media_quota_exceeded");
    let again = seller.upload("image/png", large).await.ok();
    assert_eq!(again.id(), first.id());
    assert_eq!(again.header("idempotency-replayed"), "true");
}

/// Whatever has come to nothing counts no longer.
async fn assert_only_stored_media_count(app: &App) {
    let count = async |event_type| app.database.count_of(event_type).await;
    let reserved = count("media_account.reserved").await;
    let over = count("media_account.settled").await + count("media_account.released").await;
    assert_eq!(reserved, over);
}

/// What is stored is the file that arrived as a whole, and nothing of the one before.
#[tokio::test]
async fn an_upload_that_breaks_off_can_be_sent_again() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .start()
        .await;
    let market = app.market().await;
    let seller = market.seller.with_key("an-upload-that-breaks-off");
    let file = noise(500, 500);
    assert!(file.len() > 150_000, "it has several parts");
    break_off(&app, &seller, &file).await;
    let mut other = picture(500, 500, ImageFormat::Png);
    // What follows the end of a picture is no part of it.
    other.resize(file.len(), 0);
    let stored = seller.upload("image/png", other.clone()).await.ok();
    assert_eq!(stored.status, 201);
    let sha256 = sqlx::query_scalar::<_, String>(
        "select data ->> 'uploaded_sha256' from events where type = 'media.stored'",
    );
    let sha256 = sha256.fetch_one(&app.database.pool).await.unwrap();
    assert_eq!(sha256, hex::encode(Sha256::digest(&other)));
    eventually("the other upload to be over", || async {
        (app.database.count_of("media.upload_ended").await == 1).then_some(())
    })
    .await;
}

/// Nobody could go on with it.
#[tokio::test]
async fn an_upload_without_a_key_that_breaks_off_is_over() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .set("TIDEMARK_MEDIA__UPLOADS_PER_USER_MAX", "1")
        .start()
        .await;
    let market = app.market().await;
    break_off(&app, &market.seller, &noise(500, 500)).await;
    eventually("the upload to be over", || async {
        (app.database.count_of("media.upload_ended").await == 1).then_some(())
    })
    .await;
    market.picture().await;
}

#[tokio::test]
async fn nothing_is_uploaded_where_nothing_is_kept() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PLACE", "")
        .start()
        .await;
    let market = app.market().await;
    let file = picture(4, 4, ImageFormat::Png);
    let answer = market.seller.upload("image/png", file).await;
    answer.problem(503, "media_not_kept");
}
