//! The parts of an upload, whose number is bounded however its client sends it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tidemark_tests::App;
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::noise;

use super::resumed::{offset, open, send, sending};
use super::uploads::parts as kept_parts;

/// A client chooses its pieces. Small ones are taken until there is only room for what a patient client sends.
#[tokio::test]
async fn an_upload_has_few_parts_and_can_always_be_completed() {
    const PART: usize = 65_536;
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", PART.to_string())
        .set("TIDEMARK_MEDIA__PARTS_PER_UPLOAD_MAX", "8")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(300, 300);
    assert_eq!(file.len().div_ceil(PART), 5);
    let path = open(seller, file.len()).await;
    for at in 0..3 {
        send(seller, &path, at, &file[at..=at]).await.ok();
    }
    let refused = send(seller, &path, 3, &file[3..1_000]).await;
    refused.problem(422, "upload_pieces_too_small");
    let checksum = format!("sha1 {}", STANDARD.encode(Sha1::digest(&file[3..1_000])));
    let checked = sending(seller, &path, 3).header("upload-checksum", checksum);
    let refused = Answer::to(checked.body(file[3..1_000].to_vec())).await;
    refused.problem(422, "upload_pieces_too_small");
    assert_eq!(offset(seller, &path).await, 3, "nothing was kept");
    // What is left over of a large piece is sent again.
    let large = send(seller, &path, 3, &file[3..70_000]).await.ok();
    assert_eq!(large.header("upload-offset"), (3 + PART).to_string());
    assert_eq!(kept_parts(&app), 4);
    let mut at = 3 + PART;
    while at < file.len() {
        let end = (at + 100_000).min(file.len());
        let sent = send(seller, &path, at, &file[at..end]).await.ok();
        at = sent.header("upload-offset").parse().unwrap();
    }
    assert_eq!(app.database.count_of("media.stored").await, 1);
}

/// Each part is a file, which takes the disk more than a byte.
#[tokio::test]
async fn the_parts_of_an_upload_take_no_more_of_a_disk_than_it_counts() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(18, 18);
    assert!((900..4_096).contains(&file.len()), "{}", file.len());
    let path = open(seller, file.len()).await;
    let mut at = 0;
    let refused = loop {
        let sent = send(seller, &path, at, &file[at..=at]).await;
        if sent.status != 204 {
            break sent;
        }
        at += 1;
        assert!(at < 10, "the upload has very many parts");
    };
    refused.problem(422, "upload_pieces_too_small");
    // As many as the files that it counts, with room for the rest.
    assert_eq!((at, kept_parts(&app)), (5, 5));
    send(seller, &path, at, &file[at..]).await.ok();
    assert_eq!(app.database.count_of("media.stored").await, 1);
}
