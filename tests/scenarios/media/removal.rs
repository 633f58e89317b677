//! What is not needed any more is removed: uploads that nobody completes, media that nothing shows, and deleted media.

use image::ImageFormat;
use serde_json::json;
use tidemark_tests::pictures::{noise, picture};
use tidemark_tests::{App, Process, eventually};

use super::resumed;
use super::uploads::files;

/// A command API that soon lets go of media which nothing shows, as that of the app does not.
///
/// So what is to be kept is kept, however slowly a test shows it.
pub(super) async fn forgetful_command_api(app: &App) -> Process {
    let mut settings = app.settings.clone();
    settings.set("TIDEMARK_MEDIA__UNSHOWN_S", "1");
    Process::command_api(&settings).await
}

async fn until(app: &App, event_type: &str) {
    eventually(event_type, || async {
        (app.database.count_of(event_type).await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn media_that_nothing_shows_are_deleted_and_then_their_bytes_removed() {
    let app = App::builder()
        .set("TIDEMARK_MEDIA__REMOVAL_S", "0")
        .relay()
        .projector()
        .queries()
        .start()
        .await;
    let market = app.market().await;
    let product = market.draft().await;
    let kept = market.picture().await;
    market.show(product, &[kept]).await.ok();
    let shown = files(&app);
    let forgetful = forgetful_command_api(&app).await;
    let seller = market.seller.via_command_api(&forgetful.url);
    let file = picture(40, 30, ImageFormat::Png);
    seller.upload("image/png", file).await.ok();
    until(&app, "media.removed").await;
    assert_eq!(files(&app), shown, "what is shown is kept");
    assert_eq!(app.database.count_of("media.deleted").await, 1);
    // It is let go, and then removed as well.
    let path = format!("/v1/products/{product}/pictures");
    seller.post(&path, &json!({"pictures": []})).await.ok();
    eventually("the other picture to be removed", || async {
        (app.database.count_of("media.removed").await == 2).then_some(())
    })
    .await;
    assert_eq!(files(&app), 0);
}

#[tokio::test]
async fn an_upload_that_nobody_completes_expires_and_leaves_nothing() {
    let app = App::builder()
        // Long enough for a slow machine to send some of it.
        .set("TIDEMARK_MEDIA__UPLOAD_S", "20")
        .set("TIDEMARK_MEDIA__PART_BYTES", "65536")
        .relay()
        .projector()
        .queries()
        .start()
        .await;
    let market = app.market().await;
    let file = noise(500, 500);
    let path = resumed::open(&market.seller, file.len()).await;
    resumed::send(&market.seller, &path, 0, &file[..140_000])
        .await
        .ok();
    assert!(files(&app) > 0);
    until(&app, "media.upload_ended").await;
    until(&app, "media.removed").await;
    assert_eq!(app.database.count_of("media_account.released").await, 1);
    assert_eq!(files(&app), 0);
}
