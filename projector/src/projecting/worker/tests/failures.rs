//! What a worker does with events and rows that it cannot apply, and when another worker runs too.

use sqlx::Executor;
use sqlx::postgres::PgConnectOptions;
use tidemark_event_store::TimedPool;
use tidemark_read_models::storage::StorageError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::following::blocked::Blocked;
use crate::following::follow::follow;
use crate::following::ring::Ring;
use crate::following::source::Source;

#[tokio::test]
async fn rows_folded_before_an_event_that_fails_are_written() {
    let database = Database::new("fails_later").await;
    let mut worker = worker(&database);
    let first = database.append_shared(vec![activated(1, CATEGORY)]).await;
    let newer = Recorded {
        schema_version: 99,
        ..activated(3, CATEGORY)
    };
    let second = database
        .append_shared(vec![activated(2, CATEGORY), newer])
        .await;
    let position = worker.start().await.unwrap();
    worker
        .apply(position, &page_with_more(&first))
        .await
        .unwrap();
    let applied = worker.apply(at(1), &page_with_more(&second)).await.unwrap();
    assert_eq!(
        (applied.point.position, applied.blocked_by.is_some()),
        (2, true)
    );
    worker
        .block(at(2), "by a newer build's event")
        .await
        .unwrap();
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(2, 2));
}

#[tokio::test]
async fn of_two_workers_on_one_checkpoint_the_slower_one_starts_again() {
    let database = Database::new("fenced").await;
    let (mut zombie, mut successor) = (worker(&database), worker(&database));
    zombie.start().await.unwrap();
    successor.start().await.unwrap();
    let events = database
        .append_shared(vec![
            activated(1, CATEGORY),
            activated(2, CATEGORY),
            activated(3, CATEGORY),
        ])
        .await;
    zombie.apply(at(0), &page(&events[..1])).await.unwrap();
    successor.start().await.unwrap();
    successor.apply(at(1), &page(&events[1..2])).await.unwrap();

    let fenced = zombie.apply(at(1), &page(&events[1..])).await;
    assert!(matches!(
        fenced,
        Err(SubscriberError::Storage(StorageError::Fenced {
            position: 1,
            ..
        }))
    ));
    let blocked = zombie.block(at(1), "by a zombie").await;
    assert!(matches!(
        blocked,
        Err(SubscriberError::Storage(StorageError::Fenced { .. }))
    ));
    let position = zombie.start().await.unwrap();
    zombie.apply(position, &page(&events[2..])).await.unwrap();
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(3, 3));
}

/// The log, which no feed follows.
pub(super) fn source(database: &Database, blocked: Blocked) -> Source {
    source_with(database, blocked, database.pool.clone())
}

/// The same, read with these connections.
pub(super) fn source_with(database: &Database, blocked: Blocked, pool: TimedPool) -> Source {
    let ring = Arc::new(Ring::new(10, 1 << 20));
    Source::new(ring, Log::new(pool), blocked, &database.config(&[]))
}

#[tokio::test]
async fn a_worker_stops_at_an_event_that_needs_a_newer_build() {
    let database = Database::new("newer").await;
    let newer = Recorded {
        schema_version: 99,
        ..activated(2, CATEGORY)
    };
    database.append(&[activated(1, CATEGORY), newer]).await;
    let source = source(&database, Blocked::default());
    let settings = database.config(&[]).projection;
    follow(
        Box::new(worker(&database)),
        source,
        settings,
        None,
        CancellationToken::new(),
    )
    .await;
    let (position, blocked) = database.checkpoint("tally").await;
    assert_eq!(position, 1);
    assert!(blocked.unwrap().contains("schema version 99"));
}

#[tokio::test]
async fn a_row_that_a_newer_build_has_written_is_left_to_it() {
    let database = Database::new("newer_row").await;
    let newer = r#"{"count":1,"since":"2026"}"#;
    sqlx::query("insert into tally_rows values (1, $1, $2::json, 0)")
        .bind(CATEGORY.0)
        .bind(newer)
        .execute(&database.owner)
        .await
        .unwrap();
    database.append(&[activated(1, CATEGORY)]).await;
    let source = source(&database, Blocked::default());
    let settings = database.config(&[]).projection;
    let worker = Box::new(worker(&database));
    follow(worker, source, settings, None, CancellationToken::new()).await;
    let (position, blocked) = database.checkpoint("tally").await;
    assert_eq!(position, 0);
    assert!(blocked.unwrap().contains("newer build"));
    assert_eq!(database.rows("tally").await[&CATEGORY.0].0, newer);
}

#[tokio::test]
async fn a_batch_that_postgres_refuses_as_a_whole_blocks_the_worker_and_is_shown() {
    let database = Database::new("refused_whole").await;
    // It refuses at the end of a transaction, so that no row can be found to be at fault.
    let refusal = "
        create function refuse() returns trigger language plpgsql as
        $$ begin raise 'refused on purpose' using errcode = '23514'; end $$;
        create constraint trigger refuse after insert on tally_rows_1
            deferrable initially deferred for each row execute function refuse()";
    database
        .owner
        .execute(sqlx::raw_sql(refusal))
        .await
        .unwrap();
    database.append(&[activated(1, CATEGORY)]).await;
    let blocked = Blocked::default();
    let source = source(&database, blocked.clone());
    let (settings, stop) = (database.config(&[]).projection, CancellationToken::new());
    let worker = Box::new(worker(&database));
    let following = tokio::spawn(follow(worker, source, settings, None, stop.clone()));
    let reason = loop {
        if let (0, Some(reason)) = database.checkpoint("tally").await {
            break reason;
        }
    };
    assert!(reason.contains("refused on purpose"), "{reason}");
    let shown = blocked.check().unwrap_err();
    assert!(shown.starts_with("tally/1/0 stands still"), "{shown}");
    assert_eq!(database.parked().await, []);
    stop.cancel();
    following.await.unwrap();
    assert_eq!(blocked.check(), Ok(()), "it does not run here any more");
}

/// A generation that is built says so, too.
#[tokio::test]
async fn a_failure_that_does_not_pass_by_itself_is_shown_until_it_is_mended() {
    for state in ["serving", "building"] {
        let database = Database::new(&format!("no_right_{state}")).await;
        let begin = "update generations set state = $1 where read_model = 'tally'";
        let begin = sqlx::query(begin).bind(state).execute(&database.owner);
        begin.await.unwrap();
        let revoke = "revoke insert on tally_rows from tidemark_project";
        database.owner.execute(revoke).await.unwrap();
        database.append(&[activated(1, CATEGORY)]).await;
        let blocked = Blocked::default();
        let source = source(&database, blocked.clone());
        let shown_soon = [("TIDEMARK_PROJECTION__RETRIES_SHOWN_MS", "1000")];
        let (settings, stop) = (
            database.config(&shown_soon).projection,
            CancellationToken::new(),
        );
        let worker = Box::new(worker(&database));
        let following = tokio::spawn(follow(worker, source, settings, None, stop.clone()));
        let expected = "42501: the role of the projector lacks a right";
        while !matches!(database.checkpoint("tally").await, (0, Some(reason)) if reason.contains(expected))
        {
        }
        let shown = blocked.check().unwrap_err();
        assert!(shown.contains(expected), "{shown}");

        let grant = "grant insert on tally_rows to tidemark_project";
        database.owner.execute(grant).await.unwrap();
        while database.checkpoint("tally").await != (1, None) {}
        while blocked.check().is_err() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        following.await.unwrap();
    }
}

/// Connections that do not see the log until it is shown to them.
fn blind(database: &Database) -> TimedPool {
    let options = PgConnectOptions::clone(&database.pool.connect_options());
    let options = options.options([("search_path", "shown")]);
    TimedPool::new(PgPool::connect_lazy_with(options), Duration::from_secs(10))
}

#[tokio::test]
async fn what_could_not_read_the_log_is_well_again_when_it_can_though_there_is_nothing_to_apply() {
    let database = Database::new("nothing_to_apply").await;
    let blocked = Blocked::default();
    let source = source_with(&database, blocked.clone(), blind(&database));
    let shown_soon = [("TIDEMARK_PROJECTION__RETRIES_SHOWN_MS", "100")];
    let (settings, stop) = (
        database.config(&shown_soon).projection,
        CancellationToken::new(),
    );
    let worker = Box::new(worker(&database));
    let following = tokio::spawn(follow(worker, source, settings, None, stop.clone()));
    while database.checkpoint("tally").await.1.is_none() {}
    assert!(blocked.check().unwrap_err().contains("42P01"));

    let show = "create schema shown;
                create view shown.log_head as select * from public.log_head;
                grant usage on schema shown to tidemark_project;
                grant select on shown.log_head to tidemark_project";
    database.owner.execute(sqlx::raw_sql(show)).await.unwrap();
    let is_well = async {
        while database.checkpoint("tally").await != (0, None) || blocked.check().is_err() {}
    };
    timeout(Duration::from_secs(10), is_well).await.unwrap();
    stop.cancel();
    following.await.unwrap();
}

/// The process that stored why it stood still has ended since, or the log was set back and is again what it was.
#[tokio::test]
async fn what_another_process_could_not_do_is_well_again_when_this_one_has_nothing_to_apply() {
    let database = Database::new("nothing_left").await;
    let stand_still = "update checkpoints set blocked = 'long ago', in_log = false
                        where read_model = 'tally'";
    database.owner.execute(stand_still).await.unwrap();
    let source = source(&database, Blocked::default());
    let (settings, stop) = (database.config(&[]).projection, CancellationToken::new());
    let worker = Box::new(worker(&database));
    let following = tokio::spawn(follow(worker, source, settings, None, stop.clone()));
    let is_well = async { while database.checkpoint("tally").await != (0, None) {} };
    timeout(Duration::from_secs(10), is_well).await.unwrap();
    let in_log = "select in_log from checkpoints where read_model = 'tally'";
    let in_log: bool = sqlx::query_scalar(in_log)
        .fetch_one(&database.owner)
        .await
        .unwrap();
    assert!(in_log);
    stop.cancel();
    following.await.unwrap();
}
