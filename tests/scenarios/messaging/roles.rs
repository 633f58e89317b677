//! The parts of the projector in processes of their own: the one that sends mails alone has the master key.

use tidemark_tests::App;

use super::mail::{ended, ready, register};

/// Longer than this test waits.
const SELDOM_MS: u32 = 3_600_000;

#[tokio::test]
async fn mails_are_sent_at_once_by_a_process_apart() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::builder()
        .set("TIDEMARK_REACTOR__POLL_MS", SELDOM_MS)
        .set("TIDEMARK_REACTOR__POLL_MAX_MS", SELDOM_MS);
    let app = app.start().await;
    let mut without_key = app.settings.clone();
    without_key.set("TIDEMARK_SEALING__MASTER_KEY", "");
    without_key.set("TIDEMARK_MAIL__FOLDER", "/nowhere");
    let _follows = app
        .spawn_projector_as("projections,reactors", &without_key)
        .await;
    let app = ready(app).await;
    let mut with_folder = app.settings.clone();
    with_folder.set("TIDEMARK_MAIL__FOLDER", folder.path().display().to_string());
    let _performs = app.spawn_projector_as("effects", &with_folder).await;
    let (email, _) = register(&app, "ottilie").await;
    let (message_id, end) = ended(&app).await;
    assert_eq!(end["outcome"], "accepted");
    let file = folder.path().join(format!("{message_id}.eml"));
    let mail = std::fs::read_to_string(file).unwrap();
    assert!(mail.contains(&email), "{mail}");
}
