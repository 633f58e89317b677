//! Which subscribers this process runs: those whose leases it holds, and no more than its fair share
//! of them among the projectors that live. What a lease protects is fenced by checkpoints besides.

mod survey;

use std::time::{Duration, Instant};

use tidemark_event_store::{Lease, Leases, TimedPool};
use tidemark_platform::config::Projection;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::survey::Survey;
use crate::source::Source;
use crate::subscriber;
use crate::subscriber::Subscriber;

/// Leases are looked after so often while they last.
const TICKS_A_LEASE: u32 = 3;

/// Something to run under a lease.
pub(crate) struct Duty {
    /// The name of the lease.
    pub(crate) lease: String,
    /// Makes the subscriber, anew for each term.
    pub(crate) subscriber: Box<dyn Fn() -> Box<dyn Subscriber> + Send + Sync>,
}

/// The duties of this process.
pub(crate) struct Assignments {
    pub(crate) leases: Leases,
    pub(crate) pool: TimedPool,
    pub(crate) holder: Uuid,
    pub(crate) duties: Vec<Duty>,
    pub(crate) source: Source,
    pub(crate) settings: Projection,
}

/// A duty's turn in this process.
struct Term {
    duty: usize,
    lease: Lease,
    renewed_at: Instant,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// Terms in the order in which they began, and the duties to leave alone for now.
#[derive(Default)]
struct Terms {
    presence: Option<Lease>,
    running: Vec<Term>,
    resting: Vec<(usize, Instant)>,
}

impl Assignments {
    /// Runs what it holds until `stop`, then gives it back.
    pub(crate) async fn run(self, stop: CancellationToken) {
        if let Err(error) = survey::forget_the_gone(&self.pool).await {
            tracing::warn!(%error, "projectors of old are not forgotten");
        }
        let mut terms = Terms::default();
        let mut ticks = tokio::time::interval(self.ttl() / TICKS_A_LEASE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            self.look_after(&mut terms).await;
        }
        self.leave(terms).await;
    }

    async fn look_after(&self, terms: &mut Terms) {
        self.end_terms(terms).await;
        self.renew(terms).await;
        if let Err(error) = self.share_out(terms).await {
            tracing::warn!(%error, "leases cannot be sought");
        }
    }

    const fn ttl(&self) -> Duration {
        Duration::from_millis(self.settings.lease_ms)
    }

    /// Gives back the leases of subscribers that ended.
    async fn end_terms(&self, terms: &mut Terms) {
        terms.resting.retain(|(_, until)| *until > Instant::now());
        for term in terms.running.extract_if(.., |term| term.task.is_finished()) {
            if !term.stop.is_cancelled() {
                // It left by itself: for a newer build, which is given the time to notice.
                let rest = Duration::from_millis(self.settings.blocked_retry_ms);
                terms.resting.push((term.duty, Instant::now() + rest));
            }
            self.release(&term.lease).await;
        }
    }

    /// Prolongs every term; one that is over, or may be, stops at once.
    async fn renew(&self, terms: &mut Terms) {
        for term in &mut terms.running {
            match self.leases.renew(&term.lease).await {
                Ok(true) => term.renewed_at = Instant::now(),
                Err(error) if term.renewed_at.elapsed() < self.ttl() => {
                    tracing::warn!(lease = term.lease.name, %error, "the lease cannot be renewed");
                }
                Ok(false) | Err(_) => {
                    tracing::warn!(lease = term.lease.name, "the lease is lost");
                    term.stop.cancel();
                }
            }
        }
    }

    /// Takes what this process should have and nobody holds, and stops what it has too much of.
    async fn share_out(&self, terms: &mut Terms) -> sqlx::Result<()> {
        if !self.is_present(terms).await? {
            return Ok(());
        }
        let survey = Survey::take(&self.pool, self.ttl()).await?;
        let share = self.duties.len().div_ceil(survey.projectors().max(1));
        let mut held = terms
            .running
            .iter()
            .filter(|term| !term.stop.is_cancelled())
            .count();
        for (index, duty) in self.duties.iter().enumerate() {
            let is_mine = terms.running.iter().any(|term| term.duty == index);
            let rests = terms.resting.iter().any(|(resting, _)| *resting == index);
            let is_wanted = held < share || survey.is_orphaned(&duty.lease);
            if is_mine || rests || survey.is_held(&duty.lease) || !is_wanted {
                continue;
            }
            if let Some(lease) = self.leases.take(&duty.lease).await? {
                terms.running.push(self.start(index, lease));
                held += 1;
            }
        }
        // The oldest first: one that was taken as an orphan may be one that others cannot run.
        let surplus = held
            .saturating_sub(share)
            .min(survey.free_places(share, self.holder));
        let running = terms
            .running
            .iter()
            .filter(|term| !term.stop.is_cancelled());
        running.take(surplus).for_each(|term| term.stop.cancel());
        Ok(())
    }

    /// Shows that this process lives, by a lease that nobody else wants.
    async fn is_present(&self, terms: &mut Terms) -> sqlx::Result<bool> {
        let is_renewed = match &terms.presence {
            Some(lease) => self.leases.renew(lease).await?,
            None => false,
        };
        if !is_renewed {
            terms.presence = self.leases.take(&survey::presence(self.holder)).await?;
        }
        Ok(terms.presence.is_some())
    }

    fn start(&self, duty: usize, lease: Lease) -> Term {
        let stop = CancellationToken::new();
        let following = tokio::spawn(subscriber::follow(
            (self.duties[duty].subscriber)(),
            self.source.clone(),
            self.settings.clone(),
            None,
            stop.clone(),
        ));
        Term {
            duty,
            lease,
            renewed_at: Instant::now(),
            stop,
            task: AbortOnDropHandle::new(following),
        }
    }

    /// Ends all terms in order, so that others can go on at once.
    async fn leave(&self, terms: Terms) {
        terms.running.iter().for_each(|term| term.stop.cancel());
        for term in terms.running {
            if let Err(error) = term.task.await {
                tracing::error!(%error, lease = term.lease.name, "a subscriber failed");
            }
            self.release(&term.lease).await;
        }
        if let Some(presence) = terms.presence {
            self.release(&presence).await;
        }
    }

    async fn release(&self, lease: &Lease) {
        if let Err(error) = self.leases.release(lease).await {
            tracing::warn!(%error, lease = lease.name, "a lease is left to run out");
        }
    }
}

#[cfg(test)]
mod tests;
