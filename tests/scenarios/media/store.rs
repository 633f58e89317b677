//! Stores: a bucket does what a folder does, and a store that does not answer harms nothing else.

use std::time::{Duration, Instant};

use image::ImageFormat;
use tidemark_tests::pictures::{noise, picture};
use tidemark_tests::{App, ObjectStore, eventually};

#[tokio::test]
async fn media_are_kept_in_a_bucket_and_removed_from_it() {
    let store = ObjectStore::start().await;
    let app = App::builder()
        .media_in(&store)
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .set("TIDEMARK_MEDIA__REMOVAL_S", "0")
        .relay()
        .projector()
        .queries()
        .start()
        .await;
    let market = app.market().await;
    let file = picture(400, 300, ImageFormat::Png);
    let id = market.seller.upload("image/png", file).await.ok().id();
    app.settle().await;
    let response = app.client.query(&format!("/v1/media/{id}/full")).send();
    let found = response.await.unwrap().bytes().await.unwrap();
    assert_eq!(image::load_from_memory(&found).unwrap().width(), 400);
    let ranged = app.client.with("range", "bytes=1-3");
    let response = ranged.query(&format!("/v1/media/{id}/full")).send().await;
    assert_eq!(response.unwrap().bytes().await.unwrap(), found[1..4]);
    assert_eq!(store.objects("media/media"), [id.to_string()]);
    market
        .seller
        .post_empty(&format!("/v1/media/{id}/delete"))
        .await
        .ok();
    eventually("the bytes to be removed", || async {
        let objects = store.objects(&format!("media/media/{id}"));
        objects.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_the_store_is_down_uploads_are_refused_and_other_commands_go_on() {
    let store = ObjectStore::start().await;
    let app = App::builder().media_in(&store).start().await;
    let market = app.market().await;
    store.refuse(|_| true);
    let file = picture(40, 30, ImageFormat::Png);
    let seller = market.seller.with_key("an-upload-while-it-is-down");
    let refused = seller.upload("image/png", file.clone()).await;
    refused.problem(503, "media_store_unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    market.draft().await;
    store.refuse(|_| false);
    seller.upload("image/png", file).await.ok();
}

/// A store that takes connections and says nothing is worse than one that refuses.
#[tokio::test]
async fn a_store_that_hangs_holds_no_request_for_long_and_no_place() {
    let store = ObjectStore::start().await;
    let app = App::builder()
        .media_in(&store)
        // Long enough for a store that answers, on a slow machine.
        .set("TIDEMARK_MEDIA__STORE_TIMEOUT_MS", "2000")
        .set("TIDEMARK_MEDIA__UPLOADS_PER_USER_MAX", "100")
        .set("TIDEMARK_OBJECT_STORE__RETRY_S", "60")
        .relay()
        .projector()
        .queries()
        .start()
        .await;
    let market = app.market().await;
    let seller = &market.seller;
    let kept = market.picture().await;
    app.settle().await;
    let file = picture(40, 30, ImageFormat::Png);
    let hangs: [fn(&str) -> bool; 3] = [
        // When its parts are kept, when they are read, and when what was made of them is kept.
        |request| request.starts_with("PUT"),
        |request| request.starts_with("GET") && request.contains("/uploads/"),
        |request| request.starts_with("PUT") && request.contains("/media/media/"),
    ];
    for hang in hangs {
        store.hold(hang);
        let begin = Instant::now();
        // Were their places not given back, the last ones would wait for them.
        for _ in 0..2 {
            let refused = seller.upload("image/png", file.clone()).await;
            refused.problem(503, "media_store_unavailable");
            assert!(refused.headers.contains_key("retry-after"));
        }
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(40), "{took:?}");
        store.hold(|_| false);
        seller.upload("image/png", file.clone()).await.ok();
    }
    store.hold(|_| true);
    let begin = Instant::now();
    let reader = app.client.get(&format!("/v1/media/{kept}/full")).await;
    reader.problem(503, "media_store_unavailable");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// Nobody waits for their turn without an end.
#[tokio::test]
async fn pictures_that_wait_for_too_long_are_not_looked_at() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__INSPECTION_MS", "60000")
        .set("TIDEMARK_MEDIA__INSPECTION_WAIT_MS", "1")
        .start()
        .await;
    let market = app.market().await;
    let costly = picture(2_048, 2_048, ImageFormat::Png);
    let all = (0..4).map(|_| market.seller.upload("image/png", costly.clone()));
    let answers = futures::future::join_all(all).await;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert!(!stored.is_empty() && !refused.is_empty(), "{answers:?}");
    for answer in refused {
        answer.problem(503, "media_inspection_overloaded");
    }
}

#[tokio::test]
async fn a_picture_that_a_busy_machine_could_not_look_at_in_time_may_be_sent_again() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__INSPECTION_MS", "1")
        .start()
        .await;
    let market = app.market().await;
    let seller = market.seller.with_key("a-picture-on-a-busy-machine");
    for _ in 0..2 {
        let refused = seller.upload("image/png", noise(900, 900)).await;
        refused.problem(503, "media_inspection_overloaded");
        assert!(refused.headers.contains_key("retry-after"));
    }
    assert_eq!(app.database.count_of("media.upload_ended").await, 2);
}

#[tokio::test]
async fn a_picture_that_was_altered_in_the_store_is_not_sent_to_its_end() {
    let app = App::start_all().await;
    let market = app.market().await;
    let id = market.seller.upload("image/png", noise(300, 300)).await;
    let id = id.ok().id();
    app.settle().await;
    let folder = app.database.media_folder().join("media");
    let path = format!("/v1/media/{id}/full");
    let get = async || app.client.query(&path).send().await.unwrap();
    let whole = get().await;
    let name = whole.headers()["etag"].to_str().unwrap().trim_matches('"');
    let place = folder.join(id.to_string()).join(name);
    let whole = whole.bytes().await.unwrap();
    let mut altered = whole.to_vec();
    altered[100_000] ^= 1;
    // In ranges that hold what was altered, that are before and behind it, and that hold the end.
    let ranges = [
        ("bytes=99000-120000", 99_000..120_001),
        ("bytes=100000-100000", 100_000..100_001),
        ("bytes=0-0", 0..1),
        ("bytes=150000-150099", 150_000..150_100),
        ("bytes=-100000", whole.len() - 100_000..whole.len()),
    ];
    let get_range = async |range: &str| {
        let request = app.client.with("range", range).query(&path);
        let part = request.send().await?;
        assert_eq!(part.status(), 206, "{range}");
        part.bytes().await
    };
    for altered in [altered, whole[..200_000].to_vec()] {
        std::fs::write(&place, altered).unwrap();
        assert!(get().await.bytes().await.is_err());
        for (range, _) in &ranges {
            assert!(get_range(range).await.is_err(), "{range}");
        }
    }
    std::fs::write(&place, &whole).unwrap();
    assert_eq!(get().await.bytes().await.unwrap(), whole);
    for (range, bytes) in ranges {
        let part = get_range(range).await.unwrap();
        assert_eq!(part, whole[bytes], "{range}");
    }
}
