//! Answers facts with commands: the actions that follow from each are stored with the checkpoint, in
//! one transaction, and sent by others. It decides nothing: process managers of the domain do.

mod actions;
mod answer;
mod auction_timer;
pub(crate) mod sender;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tidemark_event_store::TimedPool;
use tidemark_events::{Event, Recorded};
use tidemark_read_models::EventFilter;
use uuid::Uuid;

use crate::source::Page;
use crate::subscriber::{Applied, Failure, Identity, Obstacle, Subscriber};

/// Every process manager there is.
pub(crate) const PROCESSES: &[Process] = &[auction_timer::PROCESS];

/// A process manager, and how its actions are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    /// In checkpoints, leases and idempotency keys.
    pub(crate) name: &'static str,
    event_types: &'static [&'static str],
    react: fn(&Event) -> Vec<Planned>,
}

/// A command to send at its time.
#[derive(Debug)]
struct Planned {
    target: &'static str,
    due_at: DateTime<Utc>,
    /// Where it is posted.
    path: String,
}

/// A planned command and the input that it follows from.
#[derive(Debug)]
struct Action {
    planned: Planned,
    position: i64,
    event_id: Uuid,
    correlation_id: Uuid,
}

/// The subscriber behind a process manager.
pub(crate) struct Reactor {
    pool: TimedPool,
    process: Process,
}

impl Reactor {
    pub(crate) const fn new(pool: TimedPool, process: Process) -> Self {
        Self { pool, process }
    }

    fn actions(&self, event: &Recorded) -> Result<Vec<Action>, Obstacle> {
        let Some(decoded) = self
            .wanted()
            .fold_input(event)?
            .and_then(|input| input.event)
        else {
            return Ok(Vec::new());
        };
        let metadata = event
            .metadata()
            .map_err(|error| Obstacle::Failed(format!("the metadata cannot be read: {error}")))?;
        let action = |planned| Action {
            planned,
            position: event.position,
            event_id: event.event_id,
            correlation_id: metadata.correlation_id,
        };
        Ok((self.process.react)(&decoded)
            .into_iter()
            .map(action)
            .collect())
    }
}

#[async_trait]
impl Subscriber for Reactor {
    fn identity(&self) -> Identity {
        Identity {
            kind: "reactor",
            name: self.process.name,
            shard: None,
        }
    }

    fn wanted(&self) -> EventFilter {
        EventFilter::Types(self.process.event_types)
    }

    async fn start(&mut self) -> Result<i64, Failure> {
        Ok(actions::checkpoint(&self.pool, self.process.name).await?)
    }

    async fn apply(&mut self, from: i64, page: &Page) -> Result<Applied, Failure> {
        let (mut to, mut obstacle) = (page.to, None);
        let mut actions = Vec::new();
        for event in &page.events {
            match self.actions(event) {
                Ok(planned) => actions.extend(planned),
                Err(reason) => {
                    to = event.position - 1;
                    obstacle = Some(reason);
                    break;
                }
            }
        }
        if to > from {
            let (pool, name) = (self.pool.clone(), self.process.name);
            let write = async move {
                let write = actions::write(&pool, name, from, to, &actions);
                pool.with_timeout(write).await
            };
            // A task of its own runs to its end even if nobody waits for it.
            tokio::spawn(write).await??;
        }
        Ok(Applied {
            position: to,
            checkpoint: to,
            obstacle,
        })
    }

    async fn block(&mut self, position: i64, reason: &str) -> Result<(), Failure> {
        actions::block(&self.pool, self.process.name, position, reason).await
    }
}

#[cfg(test)]
mod tests;
