//! Each batch is counted once, whoever else appends meanwhile.

use super::*;

/// Two executors that append to one log, and what they have written.
struct Two {
    first: Executor,
    second: Executor,
}

impl Two {
    async fn new(test: &str) -> Self {
        let first = Executor::new(test).await;
        let appender = Appender::register(&first.pool, stream(2)).await.unwrap();
        let second = Executor {
            pool: first.pool.clone(),
            appender,
            batch: 0,
        };
        Self { first, second }
    }
}

async fn is_current(executor: &Executor, batch: i64, stream: Uuid) -> bool {
    let outcome =
        executor
            .appender
            .append(batch, Conditions::default(), vec![group(stream, 1..=1)]);
    matches!(outcome.await.unwrap(), AppendOutcome::Appended(done) if done.conflicts.is_empty())
}

#[tokio::test]
async fn executors_that_take_turns_go_on_counting() {
    let mut two = Two::new("turns").await;
    for round in 0..3 {
        for (executor, of) in [(&mut two.first, 10), (&mut two.second, 20)] {
            for number in 0..2 {
                executor
                    .writes(vec![group(stream(of + round * 2 + number), 1..=1)])
                    .await;
            }
        }
    }
    assert_eq!(two.first.events().await.len(), 12);
    assert!(
        !is_current(&two.first, 6, stream(50)).await,
        "it was sent before"
    );
    assert!(
        !is_current(&two.first, 8, stream(50)).await,
        "one is missing"
    );
    assert!(is_current(&two.first, 7, stream(50)).await);
    assert!(
        !is_current(&two.first, 7, stream(51)).await,
        "it is the appender now"
    );
}

#[tokio::test]
async fn a_batch_is_resolved_although_another_executor_has_appended_since() {
    let mut two = Two::new("resolved_later").await;
    two.first.writes(vec![group(stream(10), 1..=1)]).await;
    two.second.writes(vec![group(stream(20), 1..=1)]).await;
    let appender = &two.first.appender;
    assert!(appender.resolve(1).await.unwrap(), "it was committed");
    assert!(!appender.resolve(2).await.unwrap(), "it was not");
    assert!(
        !is_current(&two.first, 2, stream(11)).await,
        "nor can it be any more"
    );
    assert!(is_current(&two.first, 3, stream(11)).await);
    assert!(is_current(&two.second, 2, stream(21)).await);
}

#[tokio::test]
async fn a_batch_that_comes_early_or_late_is_counted_although_all_is_known() {
    let mut executor = Executor::new("known_times").await;
    let one = stream(10);
    executor.writes(vec![group(one, 1..=1)]).await;
    let now: Timestamp = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&executor.pool)
        .await
        .unwrap();
    let hour = TimeDelta::hours(1);
    let known = |version| Group {
        streams: vec![],
        known_streams: vec![(one, version - 1)],
        ..group(one, version..=version)
    };
    for (batch, valid) in [
        (2, now - hour * 2..=now - hour),
        (3, now + hour..=now + hour * 2),
    ] {
        let is_late = *valid.end() < now;
        let conditions = Conditions {
            valid: Some(valid),
            known_head: Some(1),
        };
        let outcome = executor
            .appender
            .append(batch, conditions, vec![known(2)])
            .await
            .unwrap();
        assert_eq!(
            matches!(outcome, AppendOutcome::Late(_)),
            is_late,
            "{outcome:?}"
        );
        assert_eq!(
            matches!(outcome, AppendOutcome::Early(_)),
            !is_late,
            "{outcome:?}"
        );
        assert_eq!(executor.events().await.len(), 1);
    }
    executor.batch = 3;
    assert_eq!(executor.append(vec![known(2)]).await.head, 1);
}

#[tokio::test]
async fn the_executor_that_appended_last_is_not_removed_while_it_appends() {
    let mut two = Two::new("appender_kept").await;
    two.first.writes(vec![group(stream(10), 1..=1)]).await;
    sqlx::query("update executors set seen_at = seen_at - interval '2 days'")
        .execute(&two.first.pool)
        .await
        .unwrap();
    let day = Duration::from_hours(24);
    Appender::remove_old(&two.first.pool, day).await.unwrap();
    assert!(is_current(&two.first, 2, stream(11)).await);
    assert!(
        !is_current(&two.second, 1, stream(20)).await,
        "it has appended nothing"
    );
}
