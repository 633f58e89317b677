//! What projectors promise each other, on a real Postgres.

use std::sync::Arc;

use async_trait::async_trait;
use tidemark_event_store::Log;
use tidemark_read_models::EventFilter;

use super::*;
use crate::ring::Ring;
use crate::source::Page;
use crate::subscriber::{Applied, Failure, Identity};
use crate::testing::Database;

/// Follows a log in which nothing happens.
struct Idle;

#[async_trait]
impl Subscriber for Idle {
    fn identity(&self) -> Identity {
        Identity {
            kind: "read_model",
            name: "idle",
            shard: Some(0),
        }
    }

    async fn start(&mut self) -> Result<i64, Failure> {
        Ok(0)
    }

    fn wanted(&self) -> EventFilter {
        EventFilter::AllHeaders
    }

    async fn apply(&mut self, position: i64, _: &Page) -> Result<Applied, Failure> {
        Ok(Applied {
            position,
            checkpoint: position,
            obstacle: None,
        })
    }

    async fn block(&mut self, _: i64, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

struct Projector {
    assignments: Assignments,
    terms: Terms,
}

impl Projector {
    fn new(database: &Database, holder: u128) -> Self {
        let settings = database
            .config(&[("TIDEMARK_PROJECTION__LEASE_MS", "60000")])
            .projection;
        let holder = Uuid::from_u128(holder);
        let pool = database.pool.clone();
        let duties = (1..=5).map(|number| Duty {
            lease: format!("projection:idle:{number}:0"),
            subscriber: Box::new(|| Box::new(Idle)),
        });
        let assignments = Assignments {
            leases: Leases::new(
                pool.clone(),
                holder,
                Duration::from_millis(settings.lease_ms),
            ),
            holder,
            duties: duties.collect(),
            source: Source {
                ring: Arc::new(Ring::new(1, 1)),
                log: Log::new(pool.clone()),
            },
            pool,
            settings,
        };
        Self {
            assignments,
            terms: Terms::default(),
        }
    }

    /// Looks after the leases once, when everything that was told to stop has stopped.
    async fn tick(&mut self) -> usize {
        while self
            .terms
            .running
            .iter()
            .any(|term| term.stop.is_cancelled() && !term.task.is_finished())
        {
            tokio::task::yield_now().await;
        }
        self.assignments.look_after(&mut self.terms).await;
        self.terms
            .running
            .iter()
            .filter(|term| !term.stop.is_cancelled())
            .count()
    }
}

async fn expire(database: &Database, holder: u128) {
    let sql = "update leases set expires_at = clock_timestamp() where holder = $1";
    sqlx::query(sql)
        .bind(Uuid::from_u128(holder))
        .execute(&database.owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn projectors_share_what_there_is_to_do() {
    let database = Database::new("share").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    assert_eq!(first.tick().await, 5, "alone, it does everything");
    assert_eq!(second.tick().await, 0, "nothing is free");
    assert_eq!(first.tick().await, 3);
    first.tick().await;
    assert_eq!(second.tick().await, 2);
    assert_eq!(first.tick().await, 3, "and so it stays");
    assert_eq!(second.tick().await, 2);
}

#[tokio::test]
async fn what_a_killed_projector_did_is_taken_over() {
    let database = Database::new("takeover").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    first.tick().await;
    second.tick().await;
    expire(&database, 1).await;
    assert_eq!(second.tick().await, 5);
    assert_eq!(first.tick().await, 0, "a zombie stops at its next look");
}

#[tokio::test]
async fn a_projector_that_leaves_hands_over_at_once() {
    let database = Database::new("leave").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    first.tick().await;
    first.assignments.leave(first.terms).await;
    assert_eq!(second.tick().await, 5);
}

#[tokio::test]
async fn what_a_subscriber_leaves_to_others_is_not_taken_back_at_once() {
    let database = Database::new("rest").await;
    let (mut first, mut second) = (Projector::new(&database, 1), Projector::new(&database, 2));
    first.tick().await;
    first.terms.running[0].task.abort();
    while !first.terms.running[0].task.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.tick().await, 4);
    assert_eq!(second.tick().await, 1, "free for those who can");
}
