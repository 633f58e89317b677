//! A backup in an object store is as good as one in a folder, and there is none before all of it is there.

use std::process::Output;

use serde_json::json;
use tidemark_tests::object_store::BUCKET;
use tidemark_tests::{App, Database, ObjectStore, Process, Settings};

use super::backup::{damage, findings};

/// More than one part of a dump, although it is compressed: 8 MiB that look random.
const MANY_BYTES: &str = "
    create table filler as
    select sha256(convert_to(number::text, 'UTF8')) as bytes
      from generate_series(1, 262144) number;
    alter table filler owner to tidemark_owner;";

const OWNER_URL: &str = "TIDEMARK_DATABASE__OWNER_URL";
const SECRET: &str = "TIDEMARK_OBJECT_STORE__SECRET_ACCESS_KEY";
const ENDPOINT: &str = "TIDEMARK_OBJECT_STORE__ENDPOINT";

/// A system with a market and an object store, and the settings of a tool that uses both.
async fn start() -> (App, ObjectStore, Settings) {
    let app = App::start().await;
    app.market().await;
    let store = ObjectStore::start().await;
    let mut settings = app.settings.clone();
    store.configure(&mut settings);
    (app, store, settings)
}

fn place(prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}")
}

async fn back_up(settings: &Settings, prefix: &str) -> Output {
    Process::operators_tool(settings, &["backup", "--to", &place(prefix)]).await
}

async fn restore(settings: &Settings, prefix: &str) -> Output {
    Process::operators_tool(settings, &["restore", "--from", &place(prefix)]).await
}

/// The tool failed with this exit code and said all of this in one line.
#[track_caller]
fn assert_says(tool: &Output, code: i32, parts: &[&str]) {
    let text = String::from_utf8_lossy(&tool.stderr);
    let said = text.lines().last().unwrap_or_default();
    assert_eq!(tool.status.code(), Some(code), "{text}");
    assert!(parts.iter().all(|&part| said.contains(part)), "{text}");
}

#[tokio::test]
async fn a_backup_in_a_store_restores_to_a_whole_log() {
    let (app, store, settings) = start().await;
    let filled = sqlx::raw_sql(MANY_BYTES).execute(&app.database.pool).await;
    filled.unwrap();
    let end = app.database.head().await;
    let tool = back_up(&settings, "tidemark/1").await;
    assert!(tool.status.success(), "{tool:?}");
    assert_eq!(store.objects("tidemark/1"), ["dump", "fingerprints"]);
    assert!(store.has_received("partNumber=2"));
    assert!(!store.keeps_parts());

    let restored = Database::empty().await;
    let mut elsewhere = settings.clone();
    elsewhere.set(OWNER_URL, restored.url_like(settings.get(OWNER_URL)));
    let tool = restore(&elsewhere, "tidemark/1").await;
    assert!(tool.status.success(), "{tool:?}");
    assert_eq!(findings(&tool), json!({ "end": end, "faults": [] }));
    let kept = app.database.log().page(0, end).await.unwrap();
    assert_eq!(restored.log().page(0, end).await.unwrap(), kept);
    let rows = sqlx::query_scalar("select count(*) from filler");
    let rows: i64 = rows.fetch_one(&restored.pool).await.unwrap();
    assert_eq!(rows, 262_144);
}

#[tokio::test]
async fn a_check_compares_the_log_with_a_backup_in_a_store() {
    let (app, _store, settings) = start().await;
    let tool = back_up(&settings, "tidemark/1").await;
    assert!(tool.status.success(), "{tool:?}");
    let check = ["check", "--backup", &place("tidemark/1")];
    let tool = Process::operators_tool(&settings, &check).await;
    assert!(tool.status.success(), "{tool:?}");
    damage(
        &app,
        "update events set data = (data::text || ' ')::json where position = 2",
    )
    .await;
    let tool = Process::operators_tool(&settings, &check).await;
    assert_eq!(tool.status.code(), Some(2), "{tool:?}");
    assert_eq!(findings(&tool)["faults"][0]["position"], 2);
}

#[tokio::test]
async fn a_backup_that_is_there_is_left_as_it_is() {
    let (_app, store, settings) = start().await;
    let tool = back_up(&settings, "tidemark/1").await;
    assert!(tool.status.success(), "{tool:?}");
    let tool = back_up(&settings, "tidemark/1").await;
    assert_says(&tool, 1, &["s3://backups/tidemark/1 is not empty"]);
    assert_eq!(store.objects("tidemark/1"), ["dump", "fingerprints"]);
    // The name of another place may begin like this one.
    let tool = back_up(&settings, "tidemark/11").await;
    assert!(tool.status.success(), "{tool:?}");
}

#[tokio::test]
async fn a_backup_that_was_killed_is_no_backup() {
    let (_app, store, settings) = start().await;
    assert_killed_is_none(&settings, &store, "while/dumping", |request| {
        request == "PUT /backups/while/dumping/dump"
    })
    .await;
    assert_killed_is_none(&settings, &store, "at/last", |request| {
        request == "PUT /backups/at/last/fingerprints"
    })
    .await;
    assert_eq!(
        store.objects("at/last"),
        ["dump", "fingerprints.unfinished"]
    );
}

/// A backup that is killed during this request can neither be restored, nor is another written over it.
async fn assert_killed_is_none(
    settings: &Settings,
    store: &ObjectStore,
    prefix: &str,
    during: fn(&str) -> bool,
) {
    store.hold(during);
    tokio::select! {
        tool = back_up(settings, prefix) => panic!("{tool:?}"),
        () = store.holding() => {}
    }
    let tool = restore(settings, prefix).await;
    let none = format!("{} holds no complete backup", place(prefix));
    assert_says(&tool, 1, &[&none]);
    let tool = back_up(settings, prefix).await;
    let in_use = format!("{} is not empty", place(prefix));
    assert_says(&tool, 1, &[&in_use]);
}

#[tokio::test]
async fn a_dump_that_the_store_takes_in_part_is_given_up() {
    let (app, store, settings) = start().await;
    let filled = sqlx::raw_sql(MANY_BYTES).execute(&app.database.pool).await;
    filled.unwrap();
    store.refuse(|request| request.contains("partNumber=2"));
    let tool = back_up(&settings, "tidemark/1").await;
    assert_says(&tool, 1, &["s3://backups/tidemark/1/dump", "503"]);
    assert!(!store.keeps_parts());
    let tool = restore(&settings, "tidemark/1").await;
    assert_says(
        &tool,
        1,
        &["s3://backups/tidemark/1 holds no complete backup"],
    );
}

#[tokio::test]
async fn a_restore_whose_dump_breaks_off_fails() {
    let (app, store, settings) = start().await;
    let filled = sqlx::raw_sql(MANY_BYTES).execute(&app.database.pool).await;
    filled.unwrap();
    let tool = back_up(&settings, "tidemark/1").await;
    assert!(tool.status.success(), "{tool:?}");
    let restored = Database::empty().await;
    let mut elsewhere = settings.clone();
    elsewhere.set(OWNER_URL, restored.url_like(settings.get(OWNER_URL)));
    store.refuse(|request| request == "GET /backups/tidemark/1/dump");
    let tool = restore(&elsewhere, "tidemark/1").await;
    assert_says(&tool, 1, &["s3://backups/tidemark/1/dump", "503"]);
}

#[tokio::test]
async fn a_store_that_refuses_or_is_away_is_told_in_a_sentence() {
    let (_app, _store, settings) = start().await;
    let with = |name: &str, value: &str| {
        let mut settings = settings.clone();
        settings.set(name, value);
        settings
    };
    let place = "s3://backups/tidemark/1";
    let other = with(SECRET, "another");
    let tool = back_up(&other, "tidemark/1").await;
    assert_says(&tool, 1, &[place, "SignatureDoesNotMatch"]);
    let tool = restore(&other, "tidemark/1").await;
    assert_says(&tool, 1, &[place, "403"]);
    let away = with(ENDPOINT, "http://127.0.0.1:1");
    let tool = back_up(&away, "tidemark/1").await;
    assert_says(&tool, 1, &[place, "Connection refused"]);
    let tool = restore(&away, "tidemark/1").await;
    assert_says(&tool, 1, &[place, "Connection refused"]);
    let tool = back_up(&with(SECRET, ""), "tidemark/1").await;
    assert_says(&tool, 1, &[SECRET]);
    let http = with("TIDEMARK_OBJECT_STORE__ALLOW_HTTP", "false");
    let tool = back_up(&http, "tidemark/1").await;
    assert_says(&tool, 1, &["object_store.endpoint", "https://"]);
    let nowhere = ["backup", "--to", "s3://nowhere/1"];
    let tool = Process::operators_tool(&settings, &nowhere).await;
    assert_says(&tool, 1, &["s3://nowhere/1", "NoSuchBucket"]);
}

#[tokio::test]
async fn a_place_that_cannot_be_meant_is_refused() {
    let (_app, store, settings) = start().await;
    let tool = Process::operators_tool(&settings, &["backup", "--to", "s3://backups"]).await;
    assert_says(
        &tool,
        2,
        &["s3://backups is no place", "s3://BUCKET/PREFIX"],
    );
    let jobs = ["backup", "--to", "s3://backups/tidemark/1", "--jobs", "2"];
    let tool = Process::operators_tool(&settings, &jobs).await;
    assert_says(&tool, 2, &["--jobs"]);
    assert!(!store.has_received("tidemark"));
}
