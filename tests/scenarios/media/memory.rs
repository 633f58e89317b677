//! How much memory files take on their way, as the peak of real processes.

use axum::body::Bytes;
use futures::future::join_all;
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{file_of, noise, photo_to_turn, picture, progressive};
use tidemark_tests::process::peak_kib;
use tidemark_tests::{App, Client, eventually};

use super::resumed::{head, open, sending};

const MIB: u64 = 1_024;

/// Sends an upload up to an end. A busy process may refuse it, and then it goes on as clients do, where the last request stopped.
async fn send_up_to(client: &Client, path: &str, bytes: &Bytes) {
    eventually("the bytes to be sent", || async {
        let response = head(client, path).await;
        let begin = response.headers().get("upload-offset")?;
        let begin = begin.to_str().unwrap().parse::<usize>().unwrap();
        let request = sending(client, path, begin).body(bytes.slice(begin..));
        let answer = Answer::to(request).await;
        assert!([204, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 204).then_some(())
    })
    .await;
}

/// Gets bytes, and keeps none of them. Returns how many they were. A busy process may refuse it.
async fn drain(client: &Client, path: &str) -> usize {
    let mut response = eventually("the bytes to be sent", || async {
        let response = client.query(path).send().await.unwrap();
        assert!([200, 503].contains(&response.status().as_u16()));
        (response.status() == 200).then_some(response)
    })
    .await;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_of_transfers_at_once_takes_a_part_of_it_in_memory() {
    const AT_ONCE: usize = 104;
    // A build for tests takes more than one that is optimized, since its requests are larger: 128 MiB are promised of that one.
    const PEAK_KIB_MAX: u64 = 160 * MIB;
    let app = App::builder()
        .set("TIDEMARK_MEDIA__RECEIVING_PER_USER_MAX", "200")
        .set("TIDEMARK_MEDIA__UPLOADS_PER_USER_MAX", "200")
        .set("TIDEMARK_MEDIA__PER_USER_BYTES_MAX", "10000000000")
        .set("TIDEMARK_MEDIA__INSPECTION_MS", "120000")
        .set("TIDEMARK_MEDIA__INSPECTION_CPU_S", "120")
        .relay()
        .projector()
        .start()
        .await;
    let (commands, queries) = (app.spawn_command_api().await, app.spawn_query_api().await);
    let market = app.market().await;
    let seller = market.seller.via_command_api(&commands.url);
    let seller = seller.via_query_api(&queries.url);
    let file = Bytes::from(noise(1_860, 1_860));
    assert!(AT_ONCE * file.len() > 1 << 30);
    let before = (peak_kib(commands.pid()), peak_kib(queries.pid()));
    // All but the last byte, so that it is the transfers alone that take memory.
    let begin = file.slice(..file.len() - 1);
    let mut paths = Vec::new();
    for _ in 0..AT_ONCE {
        paths.push(open(&seller, file.len()).await);
    }
    join_all(paths.iter().map(|path| send_up_to(&seller, path, &begin))).await;
    let up = peak_kib(commands.pid());
    send_up_to(&seller, &paths[0], &file).await;
    let looked_at = peak_kib(commands.pid());
    let id = paths[0].rsplit('/').next().unwrap();
    let path = format!("/v1/media/{id}/full");
    eventually("the picture to be shown", || async {
        let status = seller.query(&path).send().await.unwrap().status();
        status.is_success().then_some(())
    })
    .await;
    let got = join_all((0..AT_ONCE).map(|_| drain(&seller, &path))).await;
    assert!(got.iter().sum::<usize>() > 1 << 30);
    let down = peak_kib(queries.pid());
    let figures =
        format!("KiB: before {before:?}, up {up}, with a picture {looked_at}, down {down}");
    assert!(up < PEAK_KIB_MAX && down < PEAK_KIB_MAX, "{figures}");
}

/// By how many KiB the peak of a process rises when a file is uploaded, and how it is answered.
async fn rise(client: &Client, pid: u32, media_type: &str, file: Vec<u8>) -> (Answer, u64) {
    let before = peak_kib(pid);
    let answer = client.upload(media_type, file).await;
    // Linux counts in parts, so that the sum may come out a little lower than before.
    (answer, peak_kib(pid).saturating_sub(before))
}

#[tokio::test]
async fn a_picture_is_decoded_in_little_memory_or_refused() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__INSPECTION_MS", "120000")
        .set("TIDEMARK_MEDIA__INSPECTION_CPU_S", "120")
        .set("TIDEMARK_MEDIA__INSPECTION_PER_USER_MS", "120000")
        .start()
        .await;
    let market = app.market().await;
    let commands = app.spawn_command_api().await;
    let seller = market.seller.via_command_api(&commands.url);
    let pid = commands.pid();
    let small = picture(40, 30, ImageFormat::Jpeg);
    seller.upload("image/jpeg", small).await.ok();
    // In the four colours of print, of which the coefficients alone have 128 MiB.
    let bomb = progressive(4_096, 4, 1);
    assert!(bomb.len() < 200_000);
    let scans = progressive(4_096, 1, 90);
    for (file, reason) in [(bomb, "bytes of memory"), (scans, "scans")] {
        let (answer, rise) = rise(&seller, pid, "image/jpeg", file).await;
        answer.problem(422, "picture_rejected");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{detail}");
        assert!(rise < 16 * MIB, "{rise} KiB");
    }
    seller
        .upload("image/jpeg", progressive(64, 4, 90))
        .await
        .ok();
    // What is taken has 64 MiB of pixels at most, its file, and what is written of it.
    let seen_through = |x: u32, y: u32| Rgba([0, 90, 200, u8::from(x > y) * 200]);
    let seen_through = DynamicImage::from(RgbaImage::from_fn(4_096, 4_096, seen_through));
    let files = [
        ("image/jpeg", photo_to_turn(4_096, 4_096)),
        ("image/png", file_of(&seen_through, ImageFormat::Png)),
        ("image/jpeg", progressive(2_600, 3, 10)),
    ];
    drop(seen_through);
    for (media_type, file) in files {
        let (answer, rise) = rise(&seller, pid, media_type, file).await;
        answer.ok();
        assert!(rise < 80 * MIB, "{rise} KiB more for {media_type}");
    }
}
