//! What one user uploads takes nothing from others, beyond what a user may have.

use std::time::Duration;

use futures::SinkExt;
use image::ImageFormat;
use reqwest::Method;
use serde_json::json;
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{UPLOADS, noise, picture};
use tidemark_tests::{App, Client, eventually};
use uuid::Uuid;

use super::resumed::{open_for, send};
use super::routes::KEEPER;
use super::uploads::files;

/// Has a seller upload pictures of this file until there is no room for another one. Returns the first.
async fn fill(seller: &Client, file: &[u8]) -> Uuid {
    let first = seller.upload("image/png", file.to_vec()).await.ok().id();
    for _ in 0..20 {
        let next = seller.upload("image/png", file.to_vec()).await;
        if next.status != 201 {
            next.problem(409, "media_quota_exceeded");
            return first;
        }
    }
    panic!("there is room for all")
}

async fn delete(seller: &Client, media: Uuid) {
    let path = format!("/v1/media/{media}/delete");
    seller.post_empty(&path).await.ok();
}

/// Else the disk would hold all that a user uploads and deletes again in the time for which bytes are kept.
#[tokio::test]
async fn deleted_media_count_until_their_bytes_are_removed() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PER_USER_BYTES_MAX", "20000")
        .set("TIDEMARK_MEDIA__FILE_OVERHEAD_BYTES", "0")
        .start()
        .await;
    let (greedy, modest) = (app.seller().await, app.seller().await);
    let file = picture(90, 90, ImageFormat::Png);
    let first = fill(&greedy, &file).await;
    let kept = files(&app);
    delete(&greedy, first).await;
    let refused = greedy.upload("image/png", file.clone()).await;
    refused.problem(409, "media_quota_exceeded");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("count until they are removed"), "{detail}");
    let remove_at = sqlx::query_scalar::<_, String>(
        "select data ->> 'remove_at' from events where type = 'media.deleted'",
    );
    let remove_at = remove_at.fetch_one(&app.database.pool).await.unwrap();
    assert_eq!(refused.body["retry_at"], json!(remove_at));
    assert_eq!(files(&app), kept, "what was refused leaves nothing");
    modest.upload("image/png", file).await.ok();
}

#[tokio::test]
async fn a_user_has_a_quota_and_gets_it_back_when_what_was_deleted_is_removed() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PER_USER_BYTES_MAX", "20000")
        .set("TIDEMARK_MEDIA__FILE_OVERHEAD_BYTES", "0")
        .set("TIDEMARK_MEDIA__REMOVAL_S", "0")
        .relay()
        .projector()
        .queries()
        .start()
        .await;
    let seller = app.seller().await;
    let file = picture(90, 90, ImageFormat::Png);
    let first = fill(&seller, &file).await;
    delete(&seller, first).await;
    eventually("room for another picture", || async {
        let uploaded = seller.upload("image/png", file.clone()).await;
        (uploaded.status == 201).then_some(())
    })
    .await;
}

/// A picture may have more bytes as it is kept than were uploaded.
#[tokio::test]
async fn an_upload_whose_picture_finds_no_room_is_over_and_leaves_nothing() {
    let file = picture(90, 90, ImageFormat::Png);
    let app = App::builder()
        .set(
            "TIDEMARK_MEDIA__PER_USER_BYTES_MAX",
            (2 * file.len()).to_string(),
        )
        .set("TIDEMARK_MEDIA__FILE_OVERHEAD_BYTES", "0")
        .start()
        .await;
    let user = app.user().await;
    let path = open_for(&user, "avatar", file.len()).await;
    let refused = send(&user, &path, 0, &file).await;
    refused.problem(409, "media_quota_exceeded");
    assert_eq!(files(&app), 0);
    assert_eq!(app.database.count_of("media_account.released").await, 1);
    let again = send(&user, &path, file.len(), b"").await;
    again.problem(410, "upload_over");
    assert_eq!(files(&app), 0);
}

#[tokio::test]
async fn slow_uploads_of_one_user_leave_room_for_those_of_others() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__RECEIVING_PER_USER_MAX", "2")
        .start()
        .await;
    let (greedy, modest) = (app.seller().await, app.seller().await);
    let file = picture(8, 8, ImageFormat::Png);
    let mut held = Vec::new();
    for _ in 0..2 {
        // It says that it sends a file, and sends nothing.
        let (sender, body) = futures::channel::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
        let request = greedy.command(Method::POST, UPLOADS);
        let request = request.header("content-type", "image/png");
        let request = request.header("content-length", 1_000);
        let sending = request.body(reqwest::Body::wrap_stream(body)).send();
        held.push((sender, tokio::spawn(sending)));
    }
    eventually("both to be received", || async {
        let opened = app.database.count_of("media.upload_opened").await;
        (opened == 2).then_some(())
    })
    .await;
    let refused = greedy.upload("image/png", file.clone()).await;
    refused.problem(429, "too_many_requests");
    modest.upload("image/png", file).await.ok();
}

#[tokio::test]
async fn a_user_has_a_number_of_media_however_small() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PER_USER_MAX", "2")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let first = market.picture().await;
    market.picture().await;
    let file = picture(8, 8, ImageFormat::Png);
    let refused = seller.upload("image/png", file.clone()).await;
    refused.problem(409, "too_many_media");
    delete(seller, first).await;
    let refused = seller.upload("image/png", file.clone()).await;
    refused.problem(409, "too_many_media");
    let removed = format!("/v1/media/{first}/record-removal");
    app.reactor(KEEPER).post_empty(&removed).await.ok();
    seller.upload("image/png", file).await.ok();
}

/// Each picture is kept in six files, and a file takes a block of the disk.
#[tokio::test]
async fn a_small_picture_counts_what_its_files_take() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PER_USER_BYTES_MAX", "60000")
        .start()
        .await;
    let market = app.market().await;
    market.picture().await;
    market.picture().await;
    let file = picture(8, 8, ImageFormat::Png);
    let refused = market.seller.upload("image/png", file).await;
    refused.problem(409, "media_quota_exceeded");
}

#[tokio::test]
async fn costly_pictures_of_one_user_leave_time_for_those_of_others() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__INSPECTION_PER_USER_MS", "1")
        .start()
        .await;
    let (greedy, modest) = (app.seller().await, app.seller().await);
    let costly = noise(600, 600);
    greedy.upload("image/png", costly.clone()).await.ok();
    let refused = greedy.upload("image/png", costly.clone()).await;
    refused.problem(429, "media_inspection_share_used");
    modest.upload("image/png", costly).await.ok();
}

/// It would hold its place for as long as a request may take.
#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_given_up() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__SILENCE_MS", "3000")
        .set("TIDEMARK_MEDIA__RATE_MIN", "1000")
        .start()
        .await;
    let seller = app.seller().await;
    let file = noise(60, 60);
    let (mut sender, body) = futures::channel::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
    let request = seller.command(Method::POST, UPLOADS);
    let request = request.header("content-type", "image/png");
    let request = request.header("content-length", file.len());
    let sending = tokio::spawn(Answer::to(request.body(reqwest::Body::wrap_stream(body))));
    // None of the pauses is longer than a pause may be.
    let mut pauses = tokio::time::interval(Duration::from_millis(100));
    for byte in &file {
        pauses.tick().await;
        if sending.is_finished() || sender.send(Ok(vec![*byte])).await.is_err() {
            break;
        }
    }
    sending.await.unwrap().problem(408, "request_timeout");
    seller.upload("image/png", file).await.ok();
}
