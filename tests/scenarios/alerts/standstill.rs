//! What stands still: shards and reactors, those that no build can run, and actions that are not accepted.

use tidemark_events::Encoded;
use tidemark_platform::ids::new_id;
use tidemark_tests::{App, Process, append_strange, eventually};

use crate::projection::rebuilds::order;

/// Takes from checkpoints what the log holds there, or gives it back.
const FORGET: &str = "
    create table kept as select 'category' as name, event_id from checkpoints where read_model = 'category';
    update checkpoints set event_id = gen_random_uuid() where read_model = 'category';
    insert into kept select name, event_id from reactors;
    update reactors set event_id = gen_random_uuid()";
const REMEMBER: &str = "
    update checkpoints set event_id = kept.event_id from kept where read_model = kept.name;
    update reactors set event_id = kept.event_id from kept where reactors.name = kept.name";

async fn execute(app: &App, sql: &'static str) {
    sqlx::raw_sql(sql)
        .execute(&app.database.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn shards_and_reactors_that_stand_still_are_measured_until_they_go_on() {
    let app = App::builder()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .set("TIDEMARK_PROJECTION__BLOCKED_RETRY_MS", 100)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    projector
        .measures("tidemark_log_position", "", |it| it == 0.0)
        .await;
    app.category(None).await;
    projector
        .measures("tidemark_log_position", "", |it| it > 0.0)
        .await;
    app.settle().await;
    projector.terminate().await;
    execute(&app, FORGET).await;

    let settings = app.settings.as_service("projector");
    let projector = Process::listening("tidemark-projector", &["run"], &settings).await;
    let (shard, reactor) = ("tidemark_projection_blocked", "tidemark_reactor_blocked");
    projector
        .measures(shard, "read_model=\"category\"", |it| it > 0.0)
        .await;
    projector
        .measures(shard, "read_model=\"auction\"", |it| it == 0.0)
        .await;
    projector.measures(reactor, "", |it| it > 0.0).await;
    execute(&app, REMEMBER).await;
    app.category(None).await;
    projector.measures(shard, "", |it| it == 0.0).await;
    projector.measures(reactor, "", |it| it == 0.0).await;
}

/// Waits until so many series of the read model or the reactor `other` are shown of each metric.
async fn are_shown(projector: &Process, counts: [usize; 3]) {
    let metrics = [
        "tidemark_read_model_lag_seconds",
        "tidemark_reactor_lag_seconds",
        "tidemark_reactor_due_actions",
    ];
    for (metric, count) in metrics.iter().zip(counts) {
        eventually(metric, || async {
            let series = projector.measured(metric).await;
            let shown = series.keys().filter(|it| it.contains("=\"other\""));
            (shown.count() == count).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn what_no_build_can_run_is_measured() {
    let app = App::builder()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    let unrunnable = "tidemark_unrunnable_assignments";
    projector.measures(unrunnable, "", |it| it == 0.0).await;
    let of_another_build = "
        insert into generations (read_model, generation, state, fold_version, shards) values ('other', 1, 'serving', 1, 1);
        insert into checkpoints (read_model, generation) values ('other', 1);
        insert into reactors (name, position) values ('other', 0)";
    execute(&app, of_another_build).await;
    projector.measures(unrunnable, "", |it| it > 1.0).await;
    are_shown(&projector, [1, 1, 2]).await;
    let removal = "
        delete from checkpoints where read_model = 'other';
        delete from generations where read_model = 'other';
        delete from reactors where name = 'other'";
    execute(&app, removal).await;
    projector.measures(unrunnable, "", |it| it == 0.0).await;
    are_shown(&projector, [0; 3]).await;

    // A worker that only a newer build can continue ends, and is tried again only at times.
    let newer = Encoded {
        event_type: "category.created".to_owned(),
        schema_version: 99,
        data: "{}".to_owned(),
    };
    append_strange(&app.settings, new_id(), newer).await;
    projector.measures(unrunnable, "", |it| it > 0.0).await;
}

/// It is measured from the database, so a projector that has just started knows of it.
#[tokio::test]
async fn events_that_a_reactor_cannot_answer_are_measured_until_an_operator_decides() {
    let app = App::builder()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    let (metric, unanswered) = ("tidemark_reactor_given_up_actions", "state=\"unanswered\"");
    projector.measures(metric, unanswered, |it| it == 0.0).await;
    let unreadable = Encoded {
        event_type: "auction.scheduled".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
    };
    let position = append_strange(&app.settings, new_id(), unreadable).await;
    projector.measures(metric, unanswered, |it| it > 0.0).await;
    projector.terminate().await;

    let projector = app.spawn_projector().await;
    let timer = format!("reactor=\"auction-timer\",{unanswered}");
    projector.measures(metric, &timer, |it| it > 0.0).await;
    let position = position.to_string();
    let dropped = order(
        &app,
        &["actions", "drop", "auction-timer", &position, "answer"],
    )
    .await;
    assert!(dropped.status.success(), "{dropped:?}");
    projector.measures(metric, &timer, |it| it == 0.0).await;
}

#[tokio::test]
async fn actions_that_are_not_accepted_are_measured_until_they_are() {
    let mut app = App::builder()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    let (metric, failing) = ("tidemark_reactor_due_actions", "state=\"failing\"");
    projector.measures(metric, failing, |it| it == 0.0).await;
    app.auction_that_ends_without_command_api().await;
    projector.measures(metric, failing, |it| it > 0.0).await;
    app.start_command_api().await;
    projector.measures(metric, failing, |it| it == 0.0).await;
}

/// Else a lock on the actions of reactors would also hide that the relay falls behind.
#[tokio::test]
async fn what_cannot_be_measured_is_told_and_all_else_is_measured_meanwhile() {
    let app = App::builder()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .set("TIDEMARK_DATABASE__LOCK_TIMEOUT_MS", 200)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    let (age, position) = ("tidemark_measurement_age_seconds", "tidemark_log_position");
    let of = |measurement: &str| format!("measurement=\"{measurement}\"");
    projector.measures(position, "", |it| it == 0.0).await;
    projector.measures(age, "", |it| it == 0.0).await;

    let mut locked = app.database.pool.begin().await.unwrap();
    let lock = "lock table reactor_actions in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut *locked).await.unwrap();
    projector
        .measures(age, &of("due_actions"), |it| it > 0.0)
        .await;
    projector
        .measures(age, &of("given_up_actions"), |it| it > 0.0)
        .await;
    app.category(None).await;
    projector.measures(position, "", |it| it > 0.0).await;
    let behind = "insert into reactors (name, position) values ('other', 0)";
    execute(&app, behind).await;
    let lag = "tidemark_reactor_lag_seconds";
    projector
        .measures(lag, "reactor=\"other\"", |it| it > 0.0)
        .await;
    locked.rollback().await.unwrap();
    projector.measures(age, "", |it| it == 0.0).await;
}
