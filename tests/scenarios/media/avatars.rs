//! Pictures that users are seen by. They are about a person, so nobody can read them in the store, nor after an erasure.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use serde_json::{Value, json};
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{noise, picture};
use tidemark_tests::{App, Process, User, eventually};
use uuid::Uuid;

use super::resumed::{offset, open_for, send};

/// Has a user be seen by this picture.
async fn choose(user: &User, avatar: Option<Uuid>) -> Answer {
    let path = format!("/v1/users/{}/avatar", user.id);
    user.post(&path, &json!({"avatar": avatar})).await
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    entries
        .flat_map(|entry| below(entry.unwrap().path()))
        .collect()
}

/// An application whose processes keep no key in memory.
async fn app() -> App {
    let app = App::builder().relay().projector().queries();
    app.set("TIDEMARK_SEALING__KEY_CACHE_S", 0).start().await
}

async fn full(app: &App, id: Uuid, range: &str) -> reqwest::Response {
    let client = app.client.with("range", range);
    let request = client.query(&format!("/v1/media/{id}/full"));
    request.send().await.unwrap()
}

#[tokio::test]
async fn an_avatar_is_seen_while_it_is_shown_and_never_in_the_store() {
    let app = app().await;
    let seller = app.seller().await;
    let uploaded = seller.upload_as("avatar", "image/png", noise(300, 300));
    let id = uploaded.await.ok().id();
    app.settle().await;
    assert_eq!(full(&app, id, "none").await.status(), 404);
    let chosen = choose(&seller, Some(id)).await.ok();
    let reader = seller.with_tidemark(chosen.tidemark());
    for path in [format!("/v1/sellers/{}", seller.id), "/v1/me".to_owned()] {
        let shown = reader.get(&path).await.ok();
        assert_eq!(shown.body["avatar"], json!(id), "{path}");
    }
    app.settle().await;
    let whole = full(&app, id, "none").await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["cache-control"], "private, max-age=300");
    let whole = whole.bytes().await.unwrap();
    let decoded = image::load_from_memory(&whole).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (300, 300));
    assert!(whole.len() > 4 * 65_536, "it has several chunks");
    for (range, place) in [
        ("bytes=0-0", 0..1),
        ("bytes=65530-65545", 65_530..65_546),
        ("bytes=65536-65536", 65_536..65_537),
        ("bytes=60000-200000", 60_000..200_001),
        ("bytes=-10", whole.len() - 10..whole.len()),
    ] {
        let part = full(&app, id, range).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(part.bytes().await.unwrap(), whole[place], "{range}");
    }
    let folder = app.database.media_folder();
    let kept = files(&folder);
    assert!(kept.len() >= 4, "{kept:?}");
    for file in kept {
        let bytes = fs::read(file).unwrap();
        for plain in [&whole[..8], &whole[1_000..1_032]] {
            assert!(!bytes.windows(plain.len()).any(|it| it == plain));
        }
    }
    let removed = choose(&seller, None).await.ok();
    let reader = app.client.with_tidemark(removed.tidemark());
    let profile = reader.get(&format!("/v1/sellers/{}", seller.id)).await;
    assert_eq!(profile.ok().body["avatar"], Value::Null);
    app.settle().await;
    assert_eq!(full(&app, id, "none").await.status(), 404);
}

/// Whether a file below the folder has these bytes.
fn is_kept(folder: &Path, bytes: &[u8]) -> bool {
    files(folder).into_iter().any(|file| {
        // What was complete meanwhile is gone.
        let kept = fs::read(file).unwrap_or_default();
        kept.windows(bytes.len()).any(|it| it == bytes)
    })
}

#[tokio::test]
async fn an_avatar_that_is_being_uploaded_is_not_in_the_store_either() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .start()
        .await;
    let seller = app.seller().await;
    let file = noise(300, 300);
    let folder = app.database.media_folder();
    let purposes = [("avatar", false), ("product_picture", true)];
    for (purpose, is_in_clear) in purposes {
        let path = open_for(&seller, purpose, file.len()).await;
        // A part of full size, some that are smaller, and the rest.
        let mut at = 0;
        for end in [70_000, 70_001, 90_000, file.len() - 1] {
            send(&seller, &path, at, &file[at..end]).await.ok();
            assert_eq!(offset(&seller, &path).await, end);
            at = end;
        }
        for plain in [&file[..16], &file[69_900..69_932], &file[80_000..80_032]] {
            assert_eq!(is_kept(&folder, plain), is_in_clear, "{purpose}");
        }
        send(&seller, &path, at, &file[at..]).await.ok();
    }
    assert_eq!(app.database.count_of("media.stored").await, 2);
}

#[tokio::test]
async fn the_avatar_of_somebody_who_was_erased_is_gone() {
    let app = app().await;
    let seller = app.seller().await;
    let file = picture(40, 30, ImageFormat::Png);
    let uploaded = seller.upload_as("avatar", "image/png", file.clone()).await;
    let id = uploaded.ok().id();
    choose(&seller, Some(id)).await.ok();
    app.settle().await;
    assert_eq!(full(&app, id, "none").await.status(), 200);
    sqlx::query("select destroy_subject_keys($1)")
        .bind(seller.id)
        .execute(&app.database.pool)
        .await
        .unwrap();
    eventually("the erasure", || async {
        (full(&app, id, "none").await.status() == 404).then_some(())
    })
    .await;
    let again = seller.upload_as("avatar", "image/png", file).await;
    again.problem(410, "subject_erased");
}

#[tokio::test]
async fn an_avatar_that_was_altered_in_the_store_is_not_sent() {
    const HEADER: usize = 91;
    const CHUNK: usize = 65_552;
    let app = app().await;
    let seller = app.seller().await;
    let uploaded = seller.upload_as("avatar", "image/png", noise(300, 300));
    let id = uploaded.await.ok().id();
    choose(&seller, Some(id)).await.ok();
    app.settle().await;
    let media = seller.get(&format!("/v1/media/{id}")).await.ok();
    let name = media.body["variants"][0]["sha256"].as_str().unwrap();
    let folder = app.database.media_folder().join("media");
    let place = folder.join(id.to_string()).join(name);
    let sealed = fs::read(&place).unwrap();
    let mut swapped = sealed.clone();
    let (one, other) = swapped[HEADER..].split_at_mut(CHUNK);
    one.swap_with_slice(&mut other[..CHUNK]);
    let truncated = sealed[..HEADER + 2 * CHUNK].to_vec();
    let mut other_key = sealed.clone();
    other_key[40] ^= 1;
    let mut other_end = sealed.clone();
    *other_end.last_mut().unwrap() ^= 1;
    let process = Process::query_api(&app.settings).await;
    let reader = app.client.via_query_api(&process.url);
    let failures = async || {
        let failures = process.measured("tidemark_media_store_failures_total");
        failures.await.into_values().sum::<f64>()
    };
    let mut reported = failures().await;
    for (what, altered, is_known_before) in [
        ("swapped", swapped, false),
        ("truncated", truncated, false),
        ("without a chunk", sealed[..HEADER].to_vec(), false),
        ("another end", other_end, false),
        ("another key", other_key, true),
        ("a part of the header", sealed[..50].to_vec(), true),
    ] {
        fs::write(&place, altered).unwrap();
        // What is wrong is known before the answer begins, or while it is sent, and then the connection breaks off.
        let request = reader.query(&format!("/v1/media/{id}/full"));
        if is_known_before {
            let refused = Answer::to(request).await;
            refused.problem(503, "media_store_unavailable");
        } else if let Ok(answer) = request.send().await {
            let is_refused = answer.status() == 503;
            assert!(is_refused || answer.bytes().await.is_err(), "{what}");
        }
        let before = std::mem::replace(&mut reported, failures().await);
        assert!(reported > before, "{what}: {before} {reported}");
    }
    fs::write(&place, sealed).unwrap();
    let whole = full(&app, id, "none").await.bytes().await.unwrap();
    image::load_from_memory(&whole).unwrap();
}

#[tokio::test]
async fn a_link_of_the_owner_is_good_for_its_picture_until_its_time() {
    let mut app = App::start_all().await;
    let (owner, other) = (app.user().await, app.user().await);
    let file = picture(40, 30, ImageFormat::Png);
    let uploaded = owner.upload_as("avatar", "image/png", file).await;
    let id = uploaded.ok().id();
    app.settle().await;
    let links = format!("/v1/media/{id}/links");
    let body = json!({"variant": "square_32"});
    let refused = other.post(&links, &body).await;
    refused.problem(404, "media_not_found");
    let linked = owner.post(&links, &body).await.ok();
    assert_eq!(app.database.count_of("media.stored").await, 1);
    let url = linked.body["url"].as_str().unwrap();
    let seen = app.client.query(url).send().await.unwrap();
    assert_eq!(seen.status(), 200);
    assert_eq!(seen.headers()["cache-control"], "no-store");
    let bytes = seen.bytes().await.unwrap();
    let decoded = image::load_from_memory(&bytes).unwrap();
    assert_eq!(decoded.width(), 30);
    let (path, _) = url.split_once('?').unwrap();
    app.client.get(path).await.problem(404, "not_found");
    for altered in [
        url.replace("square_32", "full"),
        url.replace("expires=1", "expires=2"),
        format!("{path}?expires=99"),
        format!("{path}?signature=abc"),
        format!("{url}A"),
    ] {
        let refused = app.client.get(&altered).await;
        refused.problem(403, "link_not_good");
    }
    // Made only now, so that it is not over while the other one is looked at.
    app.settings.set("TIDEMARK_MEDIA__LINK_S", "1");
    app.restart_command_api().await;
    let short = owner.post(&links, &body).await.ok();
    let url = short.body["url"].as_str().unwrap();
    eventually("the link to be over", || async {
        let answer = app.client.query(url).send().await.unwrap();
        (answer.status() == 403).then_some(())
    })
    .await;
}
