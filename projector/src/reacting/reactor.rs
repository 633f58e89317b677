//! A reactor: runs a process manager on every event, and stores the actions that follow together with
//! its checkpoint. It decides nothing itself, and a sender sends the actions. How far it has read events that cause
//! nothing it stores seldom: reading them again causes nothing either. An event that cannot be answered, or whose answer Postgres
//! does not store, delays no other: it is stored as an action that was given up.

use std::sync::Arc;

use async_trait::async_trait;
use tidemark_domain::ProcessManager;
use tidemark_event_store::{Log, TimedPool};
use tidemark_events::{LogPoint, Recorded};
use tokio::sync::watch;

use super::actions;
use super::actions::Reactions;
use super::reaction::react;
use super::unanswered::{answer_all, unanswered};
use crate::following::failure::{EventError, FailureKind, SubscriberError};
use crate::following::page::Page;
use crate::following::subscriber::{Applied, Subscriber, SubscriberId};

/// The subscriber that runs a process manager.
pub(crate) struct Reactor {
    pool: TimedPool,
    process_manager: &'static ProcessManager,
    stored: watch::Sender<()>,
    /// The stored checkpoint.
    checkpoint: LogPoint,
    /// Up to where it has read the log.
    read_to: LogPoint,
    /// Whether it is stored that nothing after the checkpoint can be answered.
    is_blocked: bool,
}

impl Reactor {
    /// A reactor that changes `stored` when it has stored actions.
    pub(crate) const fn new(
        pool: TimedPool,
        process_manager: &'static ProcessManager,
        stored: watch::Sender<()>,
    ) -> Self {
        Self {
            pool,
            process_manager,
            stored,
            checkpoint: LogPoint::START,
            read_to: LogPoint::START,
            is_blocked: false,
        }
    }

    /// Stores what follows from the events up to a point, and the checkpoint. If Postgres refuses something of it, what follows from
    /// each event is stored by itself.
    async fn store_all(
        &mut self,
        reactions: Reactions,
        to: LogPoint,
        page: &Page,
    ) -> Result<(), SubscriberError> {
        let reactions = Arc::new(reactions);
        match self.store(Arc::clone(&reactions), to).await {
            Err(error) if error.kind() == FailureKind::ThisRow => {
                self.store_each(&reactions, to, page).await
            }
            stored => stored,
        }
    }

    /// Stores what follows from one event after the other. What Postgres refuses is given up.
    async fn store_each(
        &mut self,
        reactions: &Reactions,
        to: LogPoint,
        page: &Page,
    ) -> Result<(), SubscriberError> {
        for event in page.events.iter().filter(|it| it.position <= to.position) {
            let caused = reactions.of(event.position);
            if caused.is_empty() {
                continue;
            }
            let point = event.point();
            match self.store(Arc::new(caused), point).await {
                Err(error) if error.kind() == FailureKind::ThisRow => {
                    let given_up = self.given_up(event, &EventError::not_stored(&error));
                    self.store(Arc::new(given_up), point).await?;
                }
                stored => stored?,
            }
        }
        if self.checkpoint == to {
            return Ok(());
        }
        self.store(Arc::default(), to).await
    }

    /// What is stored of an event that cannot be answered.
    fn given_up(&self, event: &Recorded, error: &EventError) -> Reactions {
        let (reactor, position) = (self.process_manager.name, event.position);
        tracing::error!(reactor, position, %error, "an event cannot be answered");
        Reactions {
            actions: Vec::new(),
            unanswered: vec![unanswered(event, error)],
        }
    }

    /// Stores this, and the checkpoint.
    async fn store(
        &mut self,
        reactions: Arc<Reactions>,
        to: LogPoint,
    ) -> Result<(), SubscriberError> {
        let (pool, name, from) = (
            self.pool.clone(),
            self.process_manager.name,
            self.checkpoint,
        );
        let stored = self.stored.clone();
        let write = async move {
            let write = actions::write(&pool, name, from, to, &reactions);
            pool.with_timeout(write).await?;
            if !reactions.actions.is_empty() {
                stored.send_replace(());
            }
            Ok::<_, SubscriberError>(())
        };
        // The transaction runs in a task of its own, which ends it even if this future is dropped.
        tokio::spawn(write).await??;
        self.checkpoint = to;
        self.is_blocked = false;
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Reactor {
    fn id(&self) -> SubscriberId {
        SubscriberId {
            kind: "reactor",
            name: self.process_manager.name,
            generation: None,
            shard: None,
        }
    }

    fn event_types(&self) -> Option<Vec<&'static str>> {
        Some(self.process_manager.event_types.to_vec())
    }

    async fn start(&mut self) -> Result<LogPoint, SubscriberError> {
        (self.checkpoint, self.is_blocked) =
            actions::checkpoint(&self.pool, self.process_manager.name).await?;
        self.read_to = self.checkpoint;
        answer_all(&Log::new(self.pool.clone()), self.process_manager).await?;
        Ok(self.checkpoint)
    }

    async fn apply(&mut self, from: LogPoint, page: &Page) -> Result<Applied, SubscriberError> {
        let (mut to, mut blocked_by) = (page.to, None);
        let mut reactions = Reactions::default();
        for event in &page.events {
            match react(self.process_manager, event) {
                Ok(caused) => reactions.actions.extend(caused),
                Err(error) if error.kind() == FailureKind::NewerBuild => {
                    to = page.before(event.position).unwrap_or(from);
                    blocked_by = Some(error);
                    break;
                }
                Err(error) => reactions.extend(self.given_up(event, &error)),
            }
        }
        self.read_to = to;
        if !reactions.is_empty() || (blocked_by.is_some() && self.needs_check()) {
            self.store_all(reactions, to, page).await?;
        }
        Ok(Applied {
            point: to,
            checkpoint: self.checkpoint.position,
            blocked_by,
        })
    }

    fn needs_check(&self) -> bool {
        self.read_to != self.checkpoint
    }

    async fn check(&mut self, at: LogPoint) -> Result<(), SubscriberError> {
        self.store(Arc::default(), at).await
    }

    async fn block(&mut self, at: LogPoint, reason: &str) -> Result<(), SubscriberError> {
        actions::block(&self.pool, self.process_manager.name, at, reason).await
    }

    async fn unblock(&mut self) -> Result<(), SubscriberError> {
        if self.is_blocked {
            self.store(Arc::default(), self.checkpoint).await?;
        }
        Ok(())
    }
}
