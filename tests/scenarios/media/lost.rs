//! Uploads of which the store has lost or altered something that had arrived.

use std::fs;
use std::path::PathBuf;

use futures::SinkExt;
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::noise;
use tidemark_tests::{App, Client, User, eventually};

use super::resumed::{head, offset, open, open_for, send, send_beginning, sending};
use super::uploads::{files, parts};

/// An application in which a user has one upload at a time, in parts of 64 KiB.
async fn app() -> App {
    App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .set("TIDEMARK_MEDIA__UPLOADS_PER_USER_MAX", "1")
        .start()
        .await
}

/// A seller's upload of which the first 100,000 bytes have arrived, and the file.
async fn begun(app: &App) -> (User, String, Vec<u8>) {
    let seller = app.market().await.seller;
    let file = noise(300, 300);
    let path = open(&seller, file.len()).await;
    send(&seller, &path, 0, &file[..100_000]).await.ok();
    (seller, path, file)
}

/// Where a part of an upload lies.
fn part(app: &App, path: &str, offset: usize) -> PathBuf {
    let id = path.rsplit('/').next().unwrap();
    let folder = app.database.media_folder().join("uploads").join(id);
    folder.join(format!("{offset:020}"))
}

/// Asserts that an upload has ended by this answer, has left nothing, and counts no longer.
async fn assert_is_lost(app: &App, client: &Client, path: &str, answer: &Answer) {
    answer.problem(410, "upload_lost");
    let reasons = sqlx::query_scalar::<_, String>(
        "select data ->> 'reason' from events where type = 'media.upload_ended'",
    );
    let reasons = reasons.fetch_all(&app.database.pool).await.unwrap();
    assert_eq!(reasons, ["rejected"]);
    assert_eq!(app.database.count_of("media_account.released").await, 1);
    assert_eq!(files(app), 0);
    assert_eq!(head(client, path).await.status(), 410);
    let again = send(client, path, 0, b"abc").await;
    again.problem(410, "upload_over");
    open_for(client, "avatar", 100).await;
}

#[tokio::test]
async fn an_upload_with_a_part_that_cannot_be_opened_ends() {
    let app = app().await;
    let user = app.user().await;
    let file = noise(300, 300);
    let path = open_for(&user, "avatar", file.len()).await;
    send(&user, &path, 0, &file[..100_000]).await.ok();
    let place = part(&app, &path, 65_536);
    let mut sealed = fs::read(&place).unwrap();
    sealed[1_000] ^= 1;
    fs::write(&place, sealed).unwrap();
    assert_eq!(offset(&user, &path).await, 100_000);
    let ended = send(&user, &path, 100_000, &file[100_000..]).await;
    assert_is_lost(&app, &user, &path, &ended).await;
}

/// Sends the last bytes of an upload, and has the store lose something while they arrive.
async fn send_last(app: &App, client: &Client, path: &str, file: &[u8], lose: impl Fn()) -> Answer {
    let last = sending(client, path, 100_000);
    let (sent, mut sender) = send_beginning(app, last, &file[100_000..200_000]).await;
    eventually("a part of it to be kept", || async {
        (parts(app) > 2).then_some(())
    })
    .await;
    lose();
    sender.send(Ok(file[200_000..].to_vec())).await.unwrap();
    drop(sender);
    Answer::of(sent.await.unwrap().unwrap()).await
}

#[tokio::test]
async fn an_upload_that_loses_a_part_while_the_last_one_arrives_ends() {
    let app = app().await;
    let (seller, path, file) = begun(&app).await;
    let lose = || fs::remove_file(part(&app, &path, 65_536)).unwrap();
    let ended = send_last(&app, &seller, &path, &file, lose).await;
    assert_is_lost(&app, &seller, &path, &ended).await;
}

/// As where the folder is not mounted for a while.
#[tokio::test]
async fn an_upload_does_not_end_while_the_store_has_nothing_of_it() {
    let app = app().await;
    let (seller, path, file) = begun(&app).await;
    let folder = part(&app, &path, 0).parent().unwrap().to_owned();
    let away = folder.with_extension("away");
    let unmount = || fs::rename(&folder, &away).unwrap();
    let refused = send_last(&app, &seller, &path, &file, unmount).await;
    refused.problem(503, "media_store_unavailable");
    assert_eq!(app.database.count_of("media.upload_ended").await, 0);
    fs::remove_dir_all(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    let at = offset(&seller, &path).await;
    assert_eq!(at, 165_536);
    send(&seller, &path, at, &file[at..]).await.ok();
    assert_eq!(app.database.count_of("media.stored").await, 1);
}

/// As after a machine has failed, on some file systems.
#[tokio::test]
async fn an_upload_with_a_part_that_is_empty_ends() {
    let app = app().await;
    let (seller, path, file) = begun(&app).await;
    fs::write(part(&app, &path, 65_536), "").unwrap();
    assert_eq!(offset(&seller, &path).await, 65_536);
    let ended = send(&seller, &path, 65_536, &file[65_536..]).await;
    assert_is_lost(&app, &seller, &path, &ended).await;
}

/// What was lost before the client goes on is sent again, as what has not arrived.
#[tokio::test]
async fn an_upload_goes_on_where_a_part_was_lost() {
    let app = app().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(300, 300);
    let path = open(seller, file.len()).await;
    // In its place nothing can be kept.
    let blocked = app.database.media_folder().join("media");
    fs::write(&blocked, "").unwrap();
    let refused = send(seller, &path, 0, &file).await;
    refused.problem(503, "media_store_unavailable");
    assert_eq!(parts(&app), file.len().div_ceil(65_536));
    fs::remove_file(&blocked).unwrap();
    fs::remove_file(part(&app, &path, 65_536)).unwrap();
    assert_eq!(offset(seller, &path).await, 65_536);
    let refused = send(seller, &path, file.len() - 1, &file[file.len() - 1..]).await;
    refused.problem(409, "wrong_upload_offset");
    // Other parts than those that follow.
    send(seller, &path, 65_536, &file[65_536..65_636])
        .await
        .ok();
    send(seller, &path, 65_636, &file[65_636..]).await.ok();
    assert_eq!(app.database.count_of("media.stored").await, 1);
    assert_eq!(parts(&app), 0);
}
