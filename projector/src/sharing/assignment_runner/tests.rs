//! How projectors share assignments, on a real Postgres.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Executor;
use tidemark_event_store::Log;
use tidemark_events::LogPoint;

use super::super::assignment;
use super::super::build::MakeWorker;
use super::*;
use crate::following::blocked::Blocked;
use crate::following::failure::SubscriberError;
use crate::following::page::Page;
use crate::following::ring::Ring;
use crate::following::subscriber::{Applied, Subscriber, SubscriberId};
use crate::testing::Database;

/// A subscriber of a log without events.
struct Idle;

#[async_trait]
impl Subscriber for Idle {
    fn id(&self) -> SubscriberId {
        SubscriberId {
            kind: "read_model",
            name: "idle",
            generation: Some(1),
            shard: Some(0),
        }
    }

    async fn start(&mut self) -> Result<LogPoint, SubscriberError> {
        Ok(LogPoint::START)
    }

    fn event_types(&self) -> Option<Vec<&'static str>> {
        None
    }

    async fn apply(&mut self, point: LogPoint, _: &Page) -> Result<Applied, SubscriberError> {
        Ok(Applied {
            point,
            checkpoint: point.position,
            blocked_by: None,
        })
    }

    async fn block(&mut self, _: LogPoint, _: &str) -> Result<(), SubscriberError> {
        Ok(())
    }

    async fn unblock(&mut self) -> Result<(), SubscriberError> {
        Ok(())
    }
}

struct Projector {
    runner: AssignmentRunner,
    held: Held,
}

impl Projector {
    /// A projector of a build that folds the read model `idle` by these versions of its fold.
    fn new(database: &Database, holder: u128, fold_versions: &[i32]) -> Self {
        let config = database.config(&[
            ("TIDEMARK_PROJECTION__LEASE_MS", "60000"),
            ("TIDEMARK_PROJECTION__BLOCKED_RETRY_MS", "1"),
        ]);
        let holder = Uuid::from_u128(holder);
        let pool = database.pool.clone();
        let fold = |version: &i32| -> (String, MakeWorker) {
            let make = |_, _| -> Box<dyn Subscriber> { Box::new(Idle) };
            (assignment::fold("tally", *version), Box::new(make))
        };
        let runner = AssignmentRunner {
            leases: Leases::new(
                pool.clone(),
                holder,
                Duration::from_millis(config.projection.lease_ms),
            ),
            holder,
            build: Build {
                folds: fold_versions.iter().map(fold).collect(),
                reactors: BTreeMap::new(),
            },
            source: Source::new(
                Arc::new(Ring::new(1, 1)),
                Log::new(pool.clone()),
                Blocked::default(),
                &config,
            ),
            pool,
            settings: config.projection,
        };
        Self {
            runner,
            held: Held::default(),
        }
    }

    /// Ticks once, after all stopped assignments have ended. Returns how many are running then.
    async fn tick(&mut self) -> usize {
        let is_stopping =
            |running: &Running| running.stop.is_cancelled() && !running.task.is_finished();
        while self.held.running.iter().any(is_stopping) {
            tokio::task::yield_now().await;
        }
        self.runner.tick(&mut self.held).await;
        self.held.active().count()
    }

    /// Ends what runs a shard, as it does when only a newer build can go on.
    async fn give_up(&mut self) {
        let running = self.held.running.first().unwrap();
        running.task.abort();
        while !running.task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

/// A database with a read model of five shards.
async fn five_shards(test: &str) -> Database {
    let database = Database::new(test).await;
    database.divide_tally(5).await;
    database
}

/// Lets all leases of a projector expire.
async fn expire(database: &Database, holder: u128) {
    let sql = "update leases set expires_at = clock_timestamp() where holder = $1";
    sqlx::query(sql)
        .bind(Uuid::from_u128(holder))
        .execute(&database.owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn projectors_share_the_assignments() {
    let database = five_shards("share").await;
    let mut first = Projector::new(&database, 1, &[1]);
    let mut second = Projector::new(&database, 2, &[1]);
    assert_eq!(first.tick().await, 5, "a projector alone runs everything");
    assert_eq!(second.tick().await, 0, "no lease is free");
    assert_eq!(first.tick().await, 3);
    first.tick().await;
    assert_eq!(second.tick().await, 2);
    assert_eq!(first.tick().await, 3, "a fair distribution stays as it is");
    assert_eq!(second.tick().await, 2);
}

#[tokio::test]
async fn the_assignments_of_a_killed_projector_are_taken_over() {
    let database = five_shards("takeover").await;
    let mut first = Projector::new(&database, 1, &[1]);
    let mut second = Projector::new(&database, 2, &[1]);
    first.tick().await;
    second.tick().await;
    expire(&database, 1).await;
    assert_eq!(second.tick().await, 5);
    assert_eq!(first.tick().await, 0, "a zombie stops at its next tick");
}

#[tokio::test]
async fn a_projector_that_leaves_hands_over_at_once() {
    let database = five_shards("leave").await;
    let mut first = Projector::new(&database, 1, &[1]);
    let mut second = Projector::new(&database, 2, &[1]);
    first.tick().await;
    first.runner.release_all(first.held).await;
    assert_eq!(second.tick().await, 5);
}

#[tokio::test]
async fn a_projector_that_leaves_says_so_before_anything_is_free() {
    let database = five_shards("farewell").await;
    let mut projector = Projector::new(&database, 1, &[1]);
    projector.tick().await;
    projector.runner.release_all(projector.held).await;
    let sql = "
        select max(expires_at) filter (where starts_with(name, 'projector:'))
               < min(expires_at) filter (where starts_with(name, 'projection:'))
          from leases";
    let is_first: bool = sqlx::query_scalar(sql)
        .fetch_one(&database.owner)
        .await
        .unwrap();
    assert!(is_first, "others would leave to it what it has released");
}

#[tokio::test]
async fn what_another_projector_should_run_is_free_as_soon_as_it_has_stopped() {
    let database = five_shards("handover").await;
    let mut first = Projector::new(&database, 1, &[1]);
    let mut second = Projector::new(&database, 2, &[1]);
    first.tick().await;
    second.tick().await;
    assert_eq!(first.tick().await, 3, "it has told two to stop");
    while first.held.running.len() > 3 {
        first.runner.release_stopped(&mut first.held).await;
    }
    assert_eq!(second.tick().await, 2);
}

#[tokio::test]
async fn a_generation_that_appears_is_run_at_the_next_tick_and_one_that_is_dropped_no_longer() {
    let database = five_shards("appears").await;
    let mut projector = Projector::new(&database, 1, &[1, 2]);
    assert_eq!(projector.tick().await, 5);
    add_generation_of_fold_2(&database).await;
    assert_eq!(projector.tick().await, 6);
    let sql = "update generations set state = 'dropped' where generation = 2";
    sqlx::query(sql).execute(&database.owner).await.unwrap();
    assert_eq!(projector.tick().await, 5);
}

#[tokio::test]
async fn what_only_the_new_build_can_run_is_its_own_and_nothing_moves_to_and_fro() {
    let database = five_shards("builds").await;
    let mut old = Projector::new(&database, 1, &[1]);
    let mut new = Projector::new(&database, 2, &[1, 2]);
    old.tick().await;
    add_generation_of_fold_2(&database).await;
    assert_eq!(old.tick().await, 5);
    assert!(
        old.held.beyond_all.contains("projection:tally:2:0"),
        "nobody can run it yet"
    );
    assert_eq!(new.tick().await, 1, "it is free, and the new build's own");
    old.tick().await;
    old.tick().await;
    assert_eq!((old.tick().await, new.tick().await), (3, 3));
    for _ in 0..3 {
        assert_eq!((old.tick().await, new.tick().await), (3, 3));
    }
    assert!(!old.held.beyond_all.contains("projection:tally:2:0"));
}

#[tokio::test]
async fn what_was_given_up_for_a_newer_build_is_left_to_it_for_as_long_as_it_runs() {
    let database = five_shards("rest").await;
    let mut old = Projector::new(&database, 1, &[1]);
    let mut new = Projector::new(&database, 2, &[1]);
    old.tick().await;
    new.tick().await;
    old.give_up().await;
    old.tick().await;
    old.tick().await;
    old.tick().await;
    assert_eq!(new.tick().await, 5);
    assert_eq!(
        old.tick().await,
        0,
        "the pause is over, and it is not taken back"
    );
    new.runner.release_all(new.held).await;
    assert_eq!(old.tick().await, 5, "nobody else can run it");
}

/// Adds a generation that the version 2 of the fold makes, with one shard.
async fn add_generation_of_fold_2(database: &Database) {
    let sql = "
        insert into generations (read_model, generation, state, fold_version, shards)
        values ('tally', 2, 'building', 2, 1);
        insert into checkpoints (read_model, generation) values ('tally', 2);";
    database.owner.execute(sqlx::raw_sql(sql)).await.unwrap();
}
