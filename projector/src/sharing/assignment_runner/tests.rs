//! How projectors share assignments, on a real Postgres.

use std::sync::Arc;

use async_trait::async_trait;
use tidemark_event_store::Log;
use tidemark_events::LogPoint;
use tidemark_read_models::EventFilter;

use super::*;
use crate::following::page::Page;
use crate::following::ring::Ring;
use crate::following::subscriber::{Applied, Subscriber, SubscriberError, SubscriberId};
use crate::testing::Database;

/// A subscriber of a log without events.
struct Idle;

#[async_trait]
impl Subscriber for Idle {
    fn id(&self) -> SubscriberId {
        SubscriberId {
            kind: "read_model",
            name: "idle",
            shard: Some(0),
        }
    }

    async fn start(&mut self) -> Result<LogPoint, SubscriberError> {
        Ok(LogPoint::START)
    }

    fn event_filter(&self) -> EventFilter {
        EventFilter::AllHeaders
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
}

struct Projector {
    runner: AssignmentRunner,
    held: Held,
}

impl Projector {
    fn new(database: &Database, holder: u128) -> Self {
        let settings = database
            .config(&[("TIDEMARK_PROJECTION__LEASE_MS", "60000")])
            .projection;
        let holder = Uuid::from_u128(holder);
        let pool = database.pool.clone();
        let assignments = (1..=5).map(|number| Assignment {
            lease: format!("projection:idle:{number}:0"),
            subscriber: Box::new(|| Box::new(Idle)),
        });
        let runner = AssignmentRunner {
            leases: Leases::new(
                pool.clone(),
                holder,
                Duration::from_millis(settings.lease_ms),
            ),
            holder,
            assignments: assignments.collect(),
            source: Source {
                ring: Arc::new(Ring::new(1, 1)),
                log: Log::new(pool.clone()),
            },
            pool,
            settings,
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
    let database = Database::new("share").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
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
    let database = Database::new("takeover").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    first.tick().await;
    second.tick().await;
    expire(&database, 1).await;
    assert_eq!(second.tick().await, 5);
    assert_eq!(first.tick().await, 0, "a zombie stops at its next tick");
}

#[tokio::test]
async fn a_projector_that_leaves_hands_over_at_once() {
    let database = Database::new("leave").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    first.tick().await;
    first.runner.release_all(first.held).await;
    assert_eq!(second.tick().await, 5);
}

#[tokio::test]
async fn an_assignment_given_up_for_a_newer_build_is_not_taken_back_at_once() {
    let database = Database::new("rest").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    first.tick().await;
    first.held.running[0].task.abort();
    while !first.held.running[0].task.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.tick().await, 4);
    assert_eq!(second.tick().await, 1, "another projector may run it");
}
