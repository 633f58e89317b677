//! The process that looks at a picture: what it may take, and what follows if it takes more, or fails.

use std::path::PathBuf;

use futures::future::join;
use image::ImageFormat;
use tidemark_tests::bombs::{
    large_frame, large_frame_of_animation, many_codes, metadata_of_gibibytes,
};
use tidemark_tests::pictures::{noise, picture, progressive};
use tidemark_tests::process::{peak_kib, signal};
use tidemark_tests::{App, eventually};

const MIB: u64 = 1_024;
const FAILURES: &str = "tidemark_media_inspection_failures_total";

#[tokio::test]
async fn a_file_that_would_take_much_memory_takes_none_of_the_process_that_serves_others() {
    let app = App::start().await;
    let commands = app.spawn_command_api().await;
    let greedy = app.seller().await.via_command_api(&commands.url);
    let modest = app.seller().await.via_command_api(&commands.url);
    let small = picture(40, 30, ImageFormat::WebP);
    modest.upload("image/webp", small.clone()).await.ok();
    let before = peak_kib(commands.pid());
    for (file, reason) in [
        (metadata_of_gibibytes(), "is broken"),
        (many_codes(), "bytes of memory"),
        (large_frame(), "bytes of memory"),
        (large_frame_of_animation(), "bytes of memory"),
    ] {
        let refusing = greedy.upload("image/webp", file);
        let (refused, taken) = join(refusing, modest.upload("image/webp", small.clone())).await;
        refused.problem(422, "picture_rejected");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{detail}");
        taken.ok();
    }
    let rise = peak_kib(commands.pid()) - before;
    assert!(rise < 64 * MIB, "{rise} KiB");
    let failures = commands.measured(FAILURES).await;
    assert!(failures.values().all(|it| *it == 0.0), "{failures:?}");
}

#[tokio::test]
async fn a_picture_that_keeps_a_core_busy_for_too_long_is_refused() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__SCANNED_PIXELS_MAX", "1000000000000")
        .set("TIDEMARK_MEDIA__INSPECTION_MS", "120000")
        .set("TIDEMARK_MEDIA__INSPECTION_CPU_S", "1")
        .start()
        .await;
    let seller = app.seller().await;
    let refused = seller.upload("image/jpeg", progressive(4_096, 1, 95)).await;
    refused.problem(422, "picture_rejected");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("takes longer than 1 seconds"), "{detail}");
}

/// The processes that a process has started and that still run.
fn children(pid: u32) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id = entry.unwrap().file_name().to_str()?.parse::<u32>().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        status.contains(&format!("\nPPid:\t{pid}\n")).then_some(id)
    });
    ids.collect()
}

#[tokio::test]
async fn a_picture_whose_process_is_killed_can_be_sent_again() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__INSPECTION_MS", "60000")
        .set("TIDEMARK_MEDIA__INSPECTION_CPU_S", "60")
        .start()
        .await;
    let commands = app.spawn_command_api().await;
    let seller = app.seller().await.via_command_api(&commands.url);
    let seller = seller.with_key("a-picture-whose-process-is-killed");
    let file = noise(1_800, 1_800);
    let killing = async {
        let file_of = |child: u32, name: &str| PathBuf::from(format!("/proc/{child}/{name}"));
        let bounded = eventually("a bounded process", || async {
            let mut all = children(commands.pid()).into_iter();
            all.find(|child| {
                let limits = std::fs::read_to_string(file_of(*child, "limits"));
                limits.is_ok_and(|it| it.contains("Max file size             0 "))
            })
        })
        .await;
        // It knows nothing that it need not know.
        let environment = std::fs::read_to_string(file_of(bounded, "environ")).unwrap();
        assert!(!environment.contains("TIDEMARK"), "{environment}");
        signal(bounded, "KILL").await;
    };
    let (refused, ()) = join(seller.upload("image/png", file.clone()), killing).await;
    refused.problem(503, "media_inspection_failed");
    assert!(refused.headers.contains_key("retry-after"));
    commands.measures(FAILURES, "", |it| it > 0.0).await;
    seller.upload("image/png", file).await.ok();
}

#[tokio::test]
async fn without_the_program_uploads_wait_and_nothing_is_lost() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__INSPECTOR", "/nowhere/tidemark-command-api")
        .start()
        .await;
    let seller = app.seller().await.with_key("a-picture-without-a-program");
    let file = picture(40, 30, ImageFormat::Png);
    let refused = seller.upload("image/png", file.clone()).await;
    refused.problem(503, "media_inspection_failed");
    assert!(refused.headers.contains_key("retry-after"));
    let mut mended = app.settings.clone();
    mended.set("TIDEMARK_MEDIA__INSPECTOR", "");
    let mended = tidemark_tests::Process::command_api(&mended).await;
    let seller = seller.via_command_api(&mended.url);
    seller.upload("image/png", file).await.ok();
}
