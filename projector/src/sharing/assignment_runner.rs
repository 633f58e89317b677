//! Runs the assignments whose leases this process holds, and sees to it that it holds no more than its
//! fair share among all running projectors. A lease only avoids double work: what is written is
//! fenced by checkpoints.

use std::time::{Duration, Instant};

use tidemark_event_store::{Lease, Leases, TimedPool};
use tidemark_platform::config::Projection;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::assignment::Assignment;
use super::lease_snapshot::LeaseSnapshot;
use super::presence;
use crate::following::follow::follow;
use crate::following::source::Source;

/// How often leases are renewed and redistributed while a lease lasts.
const TICKS_PER_LEASE: u32 = 3;

/// Runs this process's share of the assignments.
pub(crate) struct AssignmentRunner {
    pub(crate) leases: Leases,
    pub(crate) pool: TimedPool,
    /// The id of this process in leases.
    pub(crate) holder: Uuid,
    /// Everything that projectors run, whether or not this process runs it.
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) source: Source,
    pub(crate) settings: Projection,
}

/// An assignment that this process runs.
struct Running {
    /// The index in the list of assignments.
    index: usize,
    lease: Lease,
    renewed_at: Instant,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// What this process holds.
#[derive(Default)]
struct Held {
    /// The lease that shows that this process runs.
    presence: Option<Lease>,
    /// The assignments that this process runs, the oldest first.
    running: Vec<Running>,
    /// The indices of assignments that this process gave up for a newer build, and until when it does
    /// not take them again.
    given_up: Vec<(usize, Instant)>,
}

impl AssignmentRunner {
    /// Runs assignments until `stop`, then releases their leases.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let removal = presence::remove_old(&self.pool);
        if let Err(error) = self.pool.with_timeout(removal).await {
            tracing::warn!(%error, "the leases of projectors that ended long ago cannot be removed");
        }
        let mut held = Held::default();
        let mut ticks = tokio::time::interval(self.lease_duration() / TICKS_PER_LEASE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            self.tick(&mut held).await;
        }
        self.release_all(held).await;
    }

    async fn tick(&self, held: &mut Held) {
        self.release_ended(held).await;
        self.renew(held).await;
        if let Err(error) = self.rebalance(held).await {
            tracing::warn!(%error, "leases cannot be redistributed");
        }
    }

    const fn lease_duration(&self) -> Duration {
        Duration::from_millis(self.settings.lease_ms)
    }

    /// Releases the leases of subscribers that ended.
    async fn release_ended(&self, held: &mut Held) {
        held.given_up.retain(|(_, until)| *until > Instant::now());
        let ended = |running: &mut Running| running.task.is_finished();
        for running in held.running.extract_if(.., ended) {
            if !running.stop.is_cancelled() {
                // The subscriber ended by itself because it needs a newer build. A process with a newer
                // build gets the time to take the lease.
                let pause = Duration::from_millis(self.settings.blocked_retry_ms);
                held.given_up.push((running.index, Instant::now() + pause));
            }
            self.release(&running.lease).await;
        }
    }

    /// Renews all leases in one statement: that which shows that this process runs, and that of every running
    /// assignment. An assignment whose lease is lost, or may have expired, is stopped.
    async fn renew(&self, held: &mut Held) {
        let leases = held.running.iter().map(|running| &running.lease);
        let leases: Vec<_> = leases.chain(&held.presence).collect();
        if leases.is_empty() {
            return;
        }
        let renewed = self.leases.renew_all(leases.into_iter()).await;
        held.presence.take_if(|presence| match &renewed {
            Ok(renewed) => !renewed.contains(&presence.name),
            Err(_) => false,
        });
        for running in &mut held.running {
            let lease = &running.lease.name;
            match &renewed {
                Ok(renewed) if renewed.contains(lease) => running.renewed_at = Instant::now(),
                Err(error) if running.renewed_at.elapsed() < self.lease_duration() => {
                    tracing::warn!(lease, %error, "the lease cannot be renewed");
                }
                Ok(_) | Err(_) => {
                    tracing::warn!(lease, "the lease is lost");
                    running.stop.cancel();
                }
            }
        }
    }

    /// Takes free leases up to this process's share, and stops assignments beyond it that another
    /// process lacks.
    async fn rebalance(&self, held: &mut Held) -> sqlx::Result<()> {
        if held.presence.is_none() {
            held.presence = self.leases.take(&presence::lease(self.holder)).await?;
        }
        if held.presence.is_none() {
            return Ok(());
        }
        let snapshot = LeaseSnapshot::read(&self.pool, self.lease_duration()).await?;
        let share = self
            .assignments
            .len()
            .div_ceil(snapshot.projectors().max(1));
        let mut count = held.active().count();
        for (index, assignment) in self.assignments.iter().enumerate() {
            let is_running = held.running.iter().any(|running| running.index == index);
            let is_given_up = held.given_up.iter().any(|(given_up, _)| *given_up == index);
            let is_wanted = count < share || snapshot.is_orphaned(&assignment.lease);
            if is_running || is_given_up || snapshot.is_held(&assignment.lease) || !is_wanted {
                continue;
            }
            if let Some(lease) = self.leases.take(&assignment.lease).await? {
                held.running.push(self.start(index, lease));
                count += 1;
            }
        }
        let surplus = count
            .saturating_sub(share)
            .min(snapshot.lacking_elsewhere(share, self.holder));
        // The oldest are given away first: a recent one may be an orphan that no other process can run.
        held.active()
            .take(surplus)
            .for_each(|running| running.stop.cancel());
        Ok(())
    }

    fn start(&self, index: usize, lease: Lease) -> Running {
        let stop = CancellationToken::new();
        let following = tokio::spawn(follow(
            (self.assignments[index].subscriber)(),
            self.source.clone(),
            self.settings.clone(),
            None,
            stop.clone(),
        ));
        Running {
            index,
            lease,
            renewed_at: Instant::now(),
            stop,
            task: AbortOnDropHandle::new(following),
        }
    }

    /// Stops all assignments and releases all leases, so that other projectors continue at once.
    async fn release_all(&self, held: Held) {
        held.active().for_each(|running| running.stop.cancel());
        for running in held.running {
            if let Err(error) = running.task.await {
                tracing::error!(%error, lease = running.lease.name, "a subscriber panicked");
            }
            self.release(&running.lease).await;
        }
        if let Some(presence) = held.presence {
            self.release(&presence).await;
        }
    }

    async fn release(&self, lease: &Lease) {
        if let Err(error) = self.leases.release(lease).await {
            tracing::warn!(%error, lease = lease.name, "the lease cannot be released; it will expire");
        }
    }
}

impl Held {
    /// The running assignments that were not told to stop.
    fn active(&self) -> impl Iterator<Item = &Running> {
        self.running
            .iter()
            .filter(|running| !running.stop.is_cancelled())
    }
}

#[cfg(test)]
mod tests;
