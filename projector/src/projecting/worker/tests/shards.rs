//! The shards of one read model.

use super::*;

#[tokio::test]
async fn each_shard_folds_its_own_rows_at_its_own_pace() {
    let database = Database::new("shards").await;
    database.divide_tally(3).await;
    let events: Vec<_> = (1..=30)
        .map(|at| {
            activated(
                at,
                CategoryId(Uuid::from_u128(1 + u128::from(at.unsigned_abs()) % 7)),
            )
        })
        .collect();
    let events = database.append_shared(events).await;
    for shard in Shard::all(3) {
        let mut worker = shard_worker(&database, shard);
        let position = worker.start().await.unwrap();
        let first = usize::try_from(shard.number).unwrap() + 1;
        let position = worker
            .apply(position, &page(&events[..first]))
            .await
            .unwrap();
        assert_eq!(position.point.position, i64::from(shard.number) + 1);
    }
    let checkpoints = database.checkpoints("tally").await;
    assert_eq!(checkpoints, [1, 2, 3]);
    for shard in Shard::all(3) {
        let mut worker = shard_worker(&database, shard);
        let position = worker.start().await.unwrap();
        let seen = usize::try_from(position.position).unwrap();
        worker
            .apply(position, &page(&events[seen..]))
            .await
            .unwrap();
    }
    let divided = database.rows("tally").await;

    let whole = Database::new("undivided").await;
    whole
        .append_shared(events.iter().map(|it| Recorded::clone(it)).collect())
        .await;
    let mut worker = worker(&whole);
    worker.start().await.unwrap();
    worker.apply(at(0), &page(&events)).await.unwrap();
    assert_eq!(divided, whole.rows("tally").await);
}
