//! What one user uploads takes nothing from others, beyond what a user may have.

use std::time::Duration;

use futures::SinkExt;
use image::ImageFormat;
use reqwest::Method;
use tidemark_tests::App;
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{UPLOADS, noise, picture};

#[tokio::test]
async fn a_user_has_a_quota_and_gets_it_back_by_deleting() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PER_USER_BYTES_MAX", "20000")
        .set("TIDEMARK_MEDIA__FILE_OVERHEAD_BYTES", "0")
        .start()
        .await;
    let market = app.market().await;
    let file = picture(90, 90, ImageFormat::Png);
    let first = market
        .seller
        .upload("image/png", file.clone())
        .await
        .ok()
        .id();
    let mut last = market.seller.upload("image/png", file.clone()).await;
    for _ in 0..20 {
        if last.status != 201 {
            break;
        }
        last = market.seller.upload("image/png", file.clone()).await;
    }
    last.problem(409, "media_quota_exceeded");
    let delete = format!("/v1/media/{first}/delete");
    market.seller.post_empty(&delete).await.ok();
    market.seller.upload("image/png", file.clone()).await.ok();
    app.seller().await.upload("image/png", file).await.ok();
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
    tidemark_tests::eventually("both to be received", || async {
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
    seller
        .post_empty(&format!("/v1/media/{first}/delete"))
        .await
        .ok();
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
