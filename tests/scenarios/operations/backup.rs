//! A backup that was made while the database was in use restores to a whole log, and the check finds each kind of damage
//! and names the first position at fault.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tidemark_tests::market::STARTING_PRICE;
use tidemark_tests::{App, Database, Process, Settings, eventually};
use tokio_util::sync::CancellationToken;

/// The exit code of a check that found something.
const NOT_WHOLE: i32 = 2;

/// What the tool printed last, as JSON.
pub(super) fn findings(tool: &Output) -> Value {
    let text = std::str::from_utf8(&tool.stdout).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("{tool:?}"));
    serde_json::from_str(last).unwrap()
}

async fn back_up(app: &App, folder: &Path) -> Output {
    let arguments = ["backup", folder.to_str().unwrap(), "--jobs", "2"];
    Process::operators_tool(&app.settings, &arguments).await
}

/// Damages the database of a test by this SQL, in spite of its triggers.
pub(super) async fn damage(app: &App, damage: &str) {
    let damage = format!("set session_replication_role = replica; {damage}");
    let mut connection = app.database.pool.acquire().await.unwrap().detach();
    let damaged = sqlx::raw_sql(AssertSqlSafe(damage))
        .execute(&mut connection)
        .await;
    damaged.unwrap();
}

/// What the check says of the database of a test that was damaged by this SQL, compared with a backup or not.
async fn found_after(app: &App, sql: &str, backup: Option<&Path>) -> Vec<(i64, String)> {
    damage(app, sql).await;
    let mut arguments = vec!["check"];
    if let Some(folder) = backup {
        arguments.extend(["--backup", folder.to_str().unwrap()]);
    }
    let tool = Process::operators_tool(&app.settings, &arguments).await;
    let found = findings(&tool);
    let faults = found["faults"].as_array().unwrap();
    let code = if faults.is_empty() { 0 } else { NOT_WHOLE };
    assert_eq!(tool.status.code(), Some(code), "{tool:?}");
    let fault = |fault: &Value| {
        (
            fault["position"].as_i64().unwrap(),
            fault["fault"].to_string(),
        )
    };
    faults.iter().map(fault).collect()
}

/// The first fault is at this position, and its text has this part.
#[track_caller]
fn assert_found(found: &[(i64, String)], position: i64, part: &str) {
    let first = found.first().unwrap();
    assert!(first.0 == position && first.1.contains(part), "{found:?}");
}

#[tokio::test]
async fn a_backup_under_load_restores_to_a_whole_log() {
    let app = App::builder().projector().start().await;
    let auction = app.market().await.auction(json!({})).await;
    let buyer = app.user().await;
    let stop = CancellationToken::new();
    let load = async {
        let mut amount = STARTING_PRICE;
        while !stop.is_cancelled() {
            buyer.bid(auction, amount).await.ok();
            amount += 1_000;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let before = app.database.head().await;
    let tool = async {
        let tool = back_up(&app, folder.path()).await;
        stop.cancel();
        tool
    };
    let ((), tool) = tokio::join!(load, tool);
    assert!(tool.status.success(), "{tool:?}");
    let end = findings(&tool)["end"].as_i64().unwrap();
    let after = app.database.head().await;
    assert!(before <= end && end < after, "{before} {end} {after}");

    let restored = Database::empty().await;
    let mut settings = app.settings.clone();
    let owner = "TIDEMARK_DATABASE__OWNER_URL";
    settings.set(owner, restored.url_like(app.settings.get(owner)));
    let restore = ["restore", folder.path().to_str().unwrap()];
    let tool = Process::operators_tool(&settings, &restore).await;
    assert!(tool.status.success(), "{tool:?}");
    assert_eq!(findings(&tool), json!({ "end": end, "faults": [] }));
    let kept = app.database.log().page(0, end).await.unwrap();
    assert_eq!(restored.log().page(0, after).await.unwrap(), kept);
    let again = Process::operators_tool(&settings, &restore).await;
    assert!(!again.status.success(), "{again:?}");

    go_on(&restored, end).await;

    // The log has gone on since, which is no fault.
    assert_eq!(found_after(&app, "", Some(folder.path())).await, []);
}

/// Does what docs/operating.md says about a log that was restored and ends there.
async fn go_on(restored: &Database, end: i64) {
    let mut settings = Settings::new(restored);
    let command_api = Process::command_api(&settings).await;
    settings.set("TIDEMARK_COMMAND_API__URL", &*command_api.url);
    let settings = settings.as_service("operator");
    let fork = ["timeline", "fork", "--reason", "as an exercise"];
    let tool = Process::operators_tool(&settings, &fork).await;
    assert!(tool.status.success(), "{tool:?}");
    let _projector = Process::projector(&settings).await;
    let list = ["timeline", "list", "--json"];
    let list = Process::operators_tool(&settings, &list).await;
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        (&list[0]["parent"], &list[0]["forked_at"]),
        (&json!(1), &json!(end))
    );
    eventually("all to follow the log to the fork", || async {
        let status = ["status", "--json"];
        let status = Process::operators_tool(&settings, &status).await;
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let mut shards = status["read_models"].as_array().unwrap().iter();
        shards.all(|it| it["position"] == end + 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_not_empty_is_left_as_it_is() {
    let app = App::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes"), "mine").unwrap();
    let tool = back_up(&app, folder.path()).await;
    assert_eq!(tool.status.code(), Some(1), "{tool:?}");
    let says = format!("the folder {} is not empty", folder.path().display());
    assert!(
        String::from_utf8_lossy(&tool.stderr).contains(&says),
        "{tool:?}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_missing_event_is_found() {
    let app = App::start().await;
    app.market().await;
    assert_eq!(found_after(&app, "", None).await, []);
    let missing = "delete from events where position in (3, 5)";
    assert_found(&found_after(&app, missing, None).await, 3, "missing");
}

#[tokio::test]
async fn a_gap_in_a_stream_is_found() {
    let app = App::start().await;
    let auction = app.market().await.auction(json!({})).await;
    let last = "select max(position) from events where stream_id = $1";
    let last = sqlx::query_scalar(last).bind(auction);
    let position: i64 = last.fetch_one(&app.database.pool).await.unwrap();
    let gap = format!("update events set version = version + 1 where position = {position}");
    assert_found(&found_after(&app, &gap, None).await, position, "version");
}

#[tokio::test]
async fn changed_data_is_found_by_the_backup() {
    let app = App::start().await;
    app.market().await;
    let folder = tempfile::tempdir().unwrap();
    let tool = back_up(&app, folder.path()).await;
    assert!(tool.status.success(), "{tool:?}");
    let changed = "update events set data = (data::text || ' ')::json where position in (4, 2)";
    let found = found_after(&app, changed, Some(folder.path())).await;
    assert_found(&found, 2, "not the one");
    assert_eq!(found_after(&app, "", None).await, []);
}

#[tokio::test]
async fn a_log_that_is_shorter_than_the_backup_is_found() {
    let app = App::start().await;
    app.market().await;
    let folder = tempfile::tempdir().unwrap();
    assert!(back_up(&app, folder.path()).await.status.success());
    let head = app.database.head().await;
    let shorter = format!(
        "delete from events where position = {head}; update log_head set position = {head} - 1"
    );
    let found = found_after(&app, &shorter, Some(folder.path())).await;
    assert_found(&found, head, "the backup has this event");
}

#[tokio::test]
async fn a_head_that_is_wrong_is_found() {
    let app = App::start().await;
    app.market().await;
    let head = app.database.head().await;
    let ahead = "update log_head set position = position + 2";
    assert_found(&found_after(&app, ahead, None).await, head + 1, "log_head");
    let behind = "update log_head set position = position - 3";
    assert_found(&found_after(&app, behind, None).await, head, "log_head");
}

#[tokio::test]
async fn checkpoints_and_snapshots_ahead_of_the_log_are_found() {
    let app = App::start().await;
    app.market().await;
    let head = app.database.head().await;
    let ahead = "update checkpoints
                    set position = (select position + 1 from log_head),
                        event_id = gen_random_uuid()
                  where read_model = 'auction'";
    let found = found_after(&app, ahead, None).await;
    assert_found(&found, head + 1, "generation 1 of auction");
    let relay = "delete from checkpoints;
                 update relay_progress set position = (select position + 1 from log_head)";
    let found = found_after(&app, relay, None).await;
    assert_found(&found, head + 1, "the relay published");
    let snapshot = "update relay_progress set position = 0;
                    insert into snapshots
                    select stream_id, 1000, recorded_at, aggregate, 1, '{}' from events where position = 1";
    let found = found_after(&app, snapshot, None).await;
    assert_found(&found, head + 1, "the snapshot");
}
