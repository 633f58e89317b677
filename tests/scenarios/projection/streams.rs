//! An event that cannot be read, and of which only the data says which rows it is about, delays its stream and nothing else.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemark_events::Encoded;
use tidemark_platform::ids::new_id;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::watch::Watch;
use tidemark_read_models::messaging::inbox::Inbox;
use tidemark_read_models::messaging::preferences::Preferences;
use tidemark_read_models::tasks::task_health::TaskHealth;
use tidemark_tests::replay::{differences, replay, rows};
use tidemark_tests::{App, Process, append_strange, eventually};

use super::failover::checkpoint;
use super::rebuilds::order;

/// The longest that another stream may wait because of an event that cannot be applied.
const DELAY_MAX: Duration = Duration::from_secs(1);
/// Events whose data alone says which rows they are about, and the read models of these rows.
const UNREADABLE: [(&str, &[&str]); 4] = [
    ("user.registered", &["inbox", "preferences"]),
    ("notification.raised", &["inbox"]),
    ("watch_list.added", &["watch"]),
    ("task.slot_taken", &["task_health"]),
];

/// Appends an event that cannot be read to a stream of its own.
async fn poison(app: &App, event_type: &str) -> i64 {
    let unreadable = Encoded {
        event_type: event_type.to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
    };
    append_strange(&app.settings, new_id(), unreadable).await
}

/// The read model, id and position of all that is parked.
async fn parked_rows(app: &App) -> Vec<(String, String, i64)> {
    let listed = Process::operators_tool(&app.settings, &["parked", "list", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed = listed.iter();
    let listed = listed.map(|it| {
        let position = it["position"].as_i64().unwrap();
        (text(&it["read_model"]), text(&it["id"]), position)
    });
    listed.collect()
}

/// Fails unless everybody else is answered at once from rows that are up to date.
async fn assert_others_go_on(app: &App) {
    let market = app.market().await;
    let (user, auction) = (app.user().await, market.auction(json!({})).await);
    let began = Instant::now();
    let watched = user.watch(auction).await.ok();
    let client = user.with_tidemark(watched.tidemark());
    for path in ["/v1/me/inbox", "/v1/me/preferences", "/v1/me/watches"] {
        client.get(path).await.ok();
    }
    eventually("the health of tasks to be up to date", || async {
        let applied = checkpoint(app, "task_health").await;
        (applied >= watched.position()).then_some(())
    })
    .await;
    let took = began.elapsed();
    assert!(took < DELAY_MAX, "{took:?}");
}

/// Fails unless the rows are those that a replay makes without what was skipped.
async fn assert_replayed<M: ReadModel>(app: &App) {
    let log = app.database.log().page(0, i64::MAX).await.unwrap();
    let found = rows::<M>(&app.database.pool).await;
    let differences = differences::<M>(&replay::<M>(&log), &found);
    assert_eq!(differences, Vec::<String>::new());
}

#[tokio::test]
async fn events_that_cannot_be_read_delay_no_other_stream_and_can_be_skipped() {
    let app = App::builder().projector().queries().start().await;
    app.settle().await;
    let mut expected = Vec::new();
    for (event_type, read_models) in UNREADABLE {
        let position = poison(&app, event_type).await;
        expected.extend(read_models.iter().map(|it| ((*it).to_owned(), position)));
    }
    assert_others_go_on(&app).await;
    let parked = parked_rows(&app).await;
    let found = parked
        .iter()
        .map(|(it, _, position)| (it.clone(), *position));
    let found: BTreeSet<_> = found.collect();
    let missing: Vec<_> = expected.iter().filter(|it| !found.contains(it)).collect();
    assert!(missing.is_empty(), "{missing:?} in {found:?}");

    for (read_model, id, _) in &parked {
        let skipped = order(&app, &["parked", "skip", read_model, id]).await;
        assert!(skipped.status.success(), "{skipped:?}");
    }
    eventually("all to go on", || async {
        parked_rows(&app).await.is_empty().then_some(())
    })
    .await;

    let rebuilt = order(&app, &["rebuild", "inbox", "--shards", "2"]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert_eq!(parked_rows(&app).await, []);
    assert_others_go_on(&app).await;
    app.settle().await;
    assert_replayed::<Inbox>(&app).await;
    assert_replayed::<Preferences>(&app).await;
    assert_replayed::<Watch>(&app).await;
    assert_replayed::<TaskHealth>(&app).await;
}

/// Its streams wait in the new generation as they do in the one that serves.
#[tokio::test]
async fn a_read_model_is_rebuilt_while_streams_of_it_wait() {
    let app = App::builder().projector().queries().start().await;
    let position = poison(&app, "notification.raised").await;
    app.settle().await;
    let rebuilt = order(&app, &["rebuild", "inbox", "--shards", "3"]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let parked = parked_rows(&app).await;
    let waiting = parked.iter().filter(|it| it.0 == "inbox");
    let positions: Vec<_> = waiting.map(|it| it.2).collect();
    assert_eq!(positions, [position; 4], "in each shard of both");
    assert_others_go_on(&app).await;
}
