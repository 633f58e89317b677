//! `/metrics` of a projector shows what it runs, and nothing of what is gone.

use std::collections::BTreeSet;

use tidemark_tests::{App, Process, eventually};

use super::rebuilds::order;

/// Metrics of the worker of a shard, and of what writes its documents to Redis.
const METRICS: [&str; 4] = [
    "tidemark_projection_blocked",
    "tidemark_projection_parked_rows",
    "tidemark_projection_events_total",
    "tidemark_redis_writer_up",
];

/// The labels with which a projector shows each of these metrics.
async fn shown(projector: &Process) -> Vec<BTreeSet<String>> {
    let mut shown = Vec::new();
    for metric in METRICS {
        shown.push(projector.measured(metric).await.into_keys().collect());
    }
    shown
}

/// How many of the metrics are shown of this generation of auctions.
async fn of_generation(projector: &Process, generation: i32) -> usize {
    let labels = format!("read_model=\"auction\",generation=\"{generation}\"");
    let shown = shown(projector).await.into_iter();
    let of_it = shown.filter(|series| series.iter().any(|it| it.contains(&labels)));
    of_it.count()
}

#[tokio::test]
async fn a_generation_that_was_dropped_is_shown_no_more() {
    let app = App::builder()
        .set("TIDEMARK_REBUILD__TICK_MS", 50)
        .set("TIDEMARK_REBUILD__KEPT_S", 1)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    app.user().await;
    app.settle().await;
    let all = METRICS.len();
    assert_eq!(of_generation(&projector, 1).await, all);
    let rebuilt = order(&app, &["rebuild", "auction"]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    eventually("the old generation to be gone", || async {
        (of_generation(&projector, 1).await == 0).then_some(())
    })
    .await;
    assert_eq!(of_generation(&projector, 2).await, all);
}

#[tokio::test]
async fn a_shard_is_shown_by_the_projector_that_runs_it_alone() {
    let app = App::start().await;
    let first = app.spawn_projector().await;
    app.user().await;
    app.settle().await;
    let all = shown(&first).await;
    let second = app.spawn_projector().await;
    eventually("the shards to be shared", || async {
        let (first, second) = (shown(&first).await, shown(&second).await);
        // Documents in Redis are few read models', all of which one of the projectors may run.
        let both_run_shards = !first[0].is_empty() && !second[0].is_empty();
        let mut metrics = all.iter().zip(first.iter().zip(&second));
        let are_shared = metrics
            .all(|(all, (first, second))| first.is_disjoint(second) && (first | second) == *all);
        (both_run_shards && are_shared).then_some(())
    })
    .await;
    first.terminate().await;
    eventually("the other one to run all shards", || async {
        (shown(&second).await == all).then_some(())
    })
    .await;
}
