//! Uploads that go on after they were interrupted, by tus 1.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::SinkExt;
use futures::channel::mpsc;
use image::ImageFormat;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use sha2::{Digest, Sha256};
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{noise, picture};
use tidemark_tests::{App, Client, ObjectStore, eventually};
use tokio::task::JoinHandle;

use super::uploads::{files, parts};

/// Where the bytes of a request come from.
type Sender = mpsc::Sender<std::io::Result<Vec<u8>>>;

/// The metadata of a picture of a product.
pub(super) fn metadata(file_type: &str) -> String {
    metadata_for("product_picture", file_type)
}

fn metadata_for(purpose: &str, file_type: &str) -> String {
    let purpose = STANDARD.encode(purpose);
    let file_type = STANDARD.encode(file_type);
    format!("filename Yg==,purpose {purpose},filetype {file_type}")
}

/// Opens an upload of so many bytes. Returns where it goes on.
pub(super) async fn open(client: &Client, bytes: usize) -> String {
    let opened = try_open(client, bytes, &metadata("image/png")).await.ok();
    opened.header("location").to_owned()
}

/// Opens an upload for a purpose. Returns where it goes on.
pub(super) async fn open_for(client: &Client, purpose: &str, bytes: usize) -> String {
    let metadata = metadata_for(purpose, "image/png");
    let opened = try_open(client, bytes, &metadata).await.ok();
    opened.header("location").to_owned()
}

async fn try_open(client: &Client, bytes: usize, metadata: &str) -> Answer {
    let request = client.command(Method::POST, "/v1/uploads");
    let request = request.header("tus-resumable", "1.0.0");
    let request = request.header("upload-length", bytes);
    Answer::to(request.header("upload-metadata", metadata)).await
}

/// A request that sends bytes from an offset on.
pub(super) fn sending(client: &Client, path: &str, offset: usize) -> RequestBuilder {
    let request = client.command(Method::PATCH, path);
    let request = request.header("tus-resumable", "1.0.0");
    let request = request.header("content-type", "application/offset+octet-stream");
    request.header("upload-offset", offset)
}

pub(super) async fn send(client: &Client, path: &str, offset: usize, bytes: &[u8]) -> Answer {
    Answer::to(sending(client, path, offset).body(bytes.to_vec())).await
}

/// What HEAD says of an upload.
pub(super) async fn head(client: &Client, path: &str) -> reqwest::Response {
    let request = client.command(Method::HEAD, path);
    let request = request.header("tus-resumable", "1.0.0");
    request.send().await.unwrap()
}

pub(super) async fn offset(client: &Client, path: &str) -> usize {
    let response = head(client, path).await;
    assert_eq!(response.status(), 200);
    let offset = response.headers()["upload-offset"].to_str().unwrap();
    offset.parse().unwrap()
}

#[tokio::test]
async fn a_picture_is_sent_in_pieces_and_stored_with_the_last() {
    let app = App::start_all().await;
    let market = app.market().await;
    let file = picture(400, 300, ImageFormat::Png);
    let seller = &market.seller;
    let path = open(seller, file.len()).await;
    let response = head(seller, &path).await;
    for (name, value) in [
        ("upload-offset", "0"),
        ("upload-length", &*file.len().to_string()),
        ("cache-control", "no-store"),
        ("tus-resumable", "1.0.0"),
    ] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    let expires = response.headers()["upload-expires"].to_str().unwrap();
    assert!(expires.ends_with(" GMT"), "{expires}");
    let (first, rest) = file.split_at(file.len() / 3);
    let sent = send(seller, &path, 0, first).await.ok();
    assert_eq!((sent.status, &*sent.text), (204, ""));
    assert_eq!(sent.header("upload-offset"), first.len().to_string());
    assert_eq!(sent.header("tus-resumable"), "1.0.0");
    assert_eq!(offset(seller, &path).await, first.len());
    let last = send(seller, &path, first.len(), rest).await.ok();
    assert_eq!(last.status, 204);
    let id = path.rsplit('/').next().unwrap();
    let reader = seller.with_tidemark(last.tidemark());
    let media = reader.get(&format!("/v1/media/{id}")).await.ok();
    assert_eq!(media.body["variants"][0]["width"], 400);
    // A client whose answer was lost learns that it is done.
    assert_eq!(offset(seller, &path).await, file.len());
    let again = send(seller, &path, first.len(), rest).await;
    again.problem(410, "upload_over");
    let shown = Answer::to(seller.command(Method::GET, &path)).await.ok();
    let expected = json!({"id": id, "offset": file.len(), "length": file.len()});
    assert_eq!(shown.body, expected);
    assert_eq!(app.database.count_of("media.stored").await, 1);
}

/// Begins to send bytes, of which a part is kept. Returns the request, and where the rest goes.
pub(super) async fn send_beginning(
    app: &App,
    request: RequestBuilder,
    bytes: &[u8],
) -> (JoinHandle<reqwest::Result<reqwest::Response>>, Sender) {
    let (mut sender, body) = mpsc::channel(1);
    let request = request.body(reqwest::Body::wrap_stream(body));
    let sent = tokio::spawn(request.send());
    sender.send(Ok(bytes.to_vec())).await.unwrap();
    eventually("a part to be kept", || async {
        (files(app) > 0).then_some(())
    })
    .await;
    (sent, sender)
}

#[tokio::test]
async fn what_has_arrived_is_kept_when_the_connection_breaks() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(300, 300);
    let path = open(seller, file.len()).await;
    let (sent, sender) = send_beginning(&app, sending(seller, &path, 0), &file[..70_000]).await;
    sent.abort();
    drop(sender);
    // More than the part that was complete.
    let arrived = eventually("the rest to be kept", || async {
        let offset = offset(seller, &path).await;
        (offset > 65_536).then_some(offset)
    })
    .await;
    assert_eq!(arrived, 70_000);
    send(seller, &path, arrived, &file[arrived..]).await.ok();
    assert_eq!(app.database.count_of("media.stored").await, 1);
    assert_eq!(parts(&app), 0, "no parts are left over");
}

#[tokio::test]
async fn bytes_go_where_they_belong_or_nowhere() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(300, 300);
    let path = open(seller, file.len()).await;
    send(seller, &path, 0, &file[..1_000]).await.ok();
    for wrong in [0, 999, 1_001, file.len()] {
        let refused = send(seller, &path, wrong, b"abc").await;
        refused.problem(409, "wrong_upload_offset");
    }
    let too_much = vec![0; file.len()];
    let refused = send(seller, &path, 1_000, &too_much).await;
    refused.problem(413, "body_too_large");
    let checked = |bytes: &[u8], header: String| {
        let request = sending(seller, &path, 1_000).header("upload-checksum", header);
        Answer::to(request.body(bytes.to_vec()))
    };
    let sha256 = |bytes: &[u8]| format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)));
    let piece = &file[1_000..30_000];
    let mismatch = checked(&file[1_001..30_001], sha256(piece)).await;
    mismatch.problem(460, "checksum_mismatch");
    let unknown = checked(piece, "crc32 AAAAAA==".to_owned()).await;
    unknown.problem(400, "invalid_upload_header");
    let large = &file[1_000..80_000];
    checked(large, sha256(large))
        .await
        .problem(413, "body_too_large");
    assert_eq!(offset(seller, &path).await, 1_000, "nothing was kept");
    checked(piece, sha256(piece)).await.ok();
    assert_eq!(offset(seller, &path).await, 30_000);
    send(seller, &path, 30_000, &file[30_000..]).await.ok();
}

#[tokio::test]
async fn two_requests_never_send_the_same_bytes() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = picture(64, 64, ImageFormat::Png);
    let path = open(seller, file.len()).await;
    let both = [&file[..100], &file[..200]].map(|piece| send(seller, &path, 0, piece));
    let answers = futures::future::join_all(both).await;
    let kept: Vec<_> = answers.iter().filter(|it| it.status == 204).collect();
    assert!(!kept.is_empty());
    for refused in answers.iter().filter(|it| it.status != 204) {
        refused.problem(409, "wrong_upload_offset");
    }
    let arrived = offset(seller, &path).await;
    let said = kept[0].header("upload-offset");
    assert!(
        kept.len() == 1 && said == arrived.to_string(),
        "{answers:?}"
    );
    send(seller, &path, arrived, &file[arrived..]).await.ok();
}

/// As two tabs do, or a client that tries again while its first request still runs.
#[tokio::test]
async fn no_request_that_comes_too_late_says_that_the_picture_was_rejected() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = picture(400, 300, ImageFormat::Png);
    for _ in 0..5 {
        let path = open(seller, file.len()).await;
        let all = [(); 4].map(|()| send(seller, &path, 0, &file));
        for answer in futures::future::join_all(all).await {
            let code = answer.body["code"].as_str().unwrap_or_default();
            let expected = match answer.status {
                204 => "",
                409 => "wrong_upload_offset",
                _ => "upload_over",
            };
            assert_eq!(code, expected, "{answer:?}");
        }
        assert_eq!(offset(seller, &path).await, file.len());
    }
}

#[tokio::test]
async fn what_arrives_after_another_request_has_completed_the_upload_is_removed() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(300, 300);
    let path = open(seller, file.len()).await;
    let (sent, sender) = send_beginning(&app, sending(seller, &path, 0), &file[..70_000]).await;
    let kept = offset(seller, &path).await;
    send(seller, &path, kept, &file[kept..]).await.ok();
    drop(sender);
    sent.await.unwrap().unwrap();
    assert_eq!(parts(&app), 0);
    assert_eq!(app.database.count_of("media.stored").await, 1);
}

#[tokio::test]
async fn what_is_no_upload_by_tus_is_refused() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let path = open(seller, 10).await;
    let versionless = seller.command(Method::POST, "/v1/uploads");
    let refused = Answer::to(versionless).await;
    refused.problem(412, "tus_version_not_supported");
    assert_eq!(refused.header("tus-version"), "1.0.0");
    for (version, method) in [("0.2.2", Method::PATCH), ("2.0.0", Method::DELETE)] {
        let request = seller
            .command(method, &path)
            .header("tus-resumable", version);
        let refused = Answer::to(request).await;
        refused.problem(412, "tus_version_not_supported");
    }
    let typed = sending(seller, &path, 0).header("content-type", "image/png");
    // Two types contradict each other.
    Answer::to(typed.body("abc"))
        .await
        .problem(400, "repeated_header");
    let untyped = seller.command(Method::PATCH, &path);
    let untyped = untyped.header("tus-resumable", "1.0.0");
    let untyped = untyped.header("upload-offset", 0).body("abc");
    Answer::to(untyped)
        .await
        .problem(415, "unsupported_media_type");
    let keyed = seller.with_key("a-key-that-is-not-taken");
    send(&keyed, &path, 0, b"abc")
        .await
        .problem(400, "idempotency_key_not_taken");
    let of_html = try_open(seller, 10, &metadata("text/html")).await;
    of_html.problem(415, "unsupported_media_type");
    try_open(seller, 0, &metadata("image/png"))
        .await
        .problem(400, "invalid_upload_header");
    try_open(seller, 10_485_761, &metadata("image/png"))
        .await
        .problem(413, "body_too_large");
    let no_picture = send(seller, &path, 0, b"0123456789").await;
    no_picture.problem(422, "picture_rejected");
    assert_eq!(head(seller, &path).await.status(), 410);
    assert_eq!(files(&app), 0);
}

#[tokio::test]
async fn options_say_what_the_server_can_do() {
    let app = App::start().await;
    let request = app.client.command(Method::OPTIONS, "/v1/uploads");
    let response = request.send().await.unwrap();
    assert!(response.status().is_success());
    for (name, value) in [
        ("tus-version", "1.0.0"),
        ("tus-extension", "creation,expiration,checksum,termination"),
        ("tus-max-size", "10485760"),
        ("tus-checksum-algorithm", "sha1,sha256"),
    ] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    // Every other answer names the version, also those of requests that nobody may send.
    let anonymous = app.client.command(Method::POST, "/v1/uploads");
    let refused = Answer::to(anonymous).await;
    refused.problem(401, "unauthenticated");
    assert_eq!(refused.header("tus-resumable"), "1.0.0");
}

#[tokio::test]
async fn an_upload_is_its_owners_and_ends_when_they_give_it_up() {
    let app = App::start().await;
    let (owner, other) = (app.seller().await, app.seller().await);
    let path = open(&owner, 1_000).await;
    send(&owner, &path, 0, b"abc").await.ok();
    assert_eq!(head(&other, &path).await.status(), 404);
    send(&other, &path, 3, b"def")
        .await
        .problem(404, "media_not_found");
    let delete = async |client: &Client| {
        let request = client.command(Method::DELETE, &path);
        Answer::to(request.header("tus-resumable", "1.0.0")).await
    };
    delete(&other).await.problem(404, "media_not_found");
    assert_eq!(delete(&owner).await.ok().status, 204);
    assert_eq!(files(&app), 0);
    assert_eq!(head(&owner, &path).await.status(), 410);
    send(&owner, &path, 3, b"def")
        .await
        .problem(410, "upload_over");
    delete(&owner).await.problem(410, "upload_over");
    assert_eq!(app.database.count_of("media_account.released").await, 1);
}

#[tokio::test]
async fn an_upload_that_is_too_old_is_gone() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__UPLOAD_S", "1")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let path = open(seller, 1_000).await;
    eventually("the upload to expire", || async {
        (head(seller, &path).await.status() == 410).then_some(())
    })
    .await;
    send(seller, &path, 0, b"abc")
        .await
        .problem(410, "upload_over");
}

#[tokio::test]
async fn an_upload_whose_end_could_not_be_stored_is_ended_by_its_last_part() {
    let store = ObjectStore::start().await;
    let app = App::builder().media_in(&store).start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = picture(64, 64, ImageFormat::Png);
    let path = open(seller, file.len()).await;
    send(seller, &path, 0, &file[..200]).await.ok();
    let failures: [fn(&str) -> bool; 2] = [
        |request| request.contains("/media/media/"),
        |request| request.starts_with("GET") && request.contains("/uploads/"),
    ];
    for failure in failures {
        store.refuse(failure);
        let refused = send(seller, &path, 200, &file[200..]).await;
        refused.problem(503, "media_store_unavailable");
        store.refuse(|_| false);
        assert_eq!(offset(seller, &path).await, 200, "it is not complete yet");
    }
    let piece = send(seller, &path, 200, &file[200..210]).await.ok();
    assert_eq!(piece.header("upload-offset"), "210");
    send(seller, &path, 210, &file[210..]).await.ok();
    assert_eq!(offset(seller, &path).await, file.len());
}

#[tokio::test]
async fn what_arrives_after_an_upload_was_given_up_is_removed() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let file = noise(300, 300);
    let path = open(seller, file.len()).await;
    let (sent, mut sender) = send_beginning(&app, sending(seller, &path, 0), &file[..70_000]).await;
    let request = seller.command(Method::DELETE, &path);
    let given_up = Answer::to(request.header("tus-resumable", "1.0.0"));
    given_up.await.ok();
    sender.send(Ok(file[70_000..].to_vec())).await.unwrap();
    drop(sender);
    assert!(sent.await.unwrap().unwrap().status().is_client_error());
    assert_eq!(files(&app), 0);
    assert_eq!(app.database.count_of("media.stored").await, 0);
}
