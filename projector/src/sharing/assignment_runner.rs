//! Runs the assignments whose leases this process holds, and sees to it that it holds those that are its own
//! among all running projectors. A lease only avoids double work: what is written is fenced by checkpoints.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use metrics::gauge;
use tidemark_event_store::{Lease, Leases, TimedPool};
use tidemark_platform::config::Projection;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::assignment::Assignment;
use super::build::Build;
use super::distribution::distribute;
use super::presence;
use super::snapshot::Snapshot;
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
    /// What this process can run.
    pub(crate) build: Build,
    pub(crate) source: Source,
    pub(crate) settings: Projection,
}

/// An assignment that this process runs.
struct Running {
    assignment: Assignment,
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
    /// The assignments that this process runs.
    running: Vec<Running>,
    /// The abilities that this process gave up because only a newer build can go on, and until when at least.
    given_up: BTreeMap<String, Instant>,
    /// The assignments that no running projector can run.
    beyond_all: BTreeSet<String>,
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
                _ = ticks.tick() => self.tick(&mut held).await,
                () = self.release_stopped(&mut held) => {}
            }
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

    /// Waits until a subscriber that was told to stop has ended, and releases its lease, so that whoever is to go on
    /// need not wait for the next tick of this process.
    async fn release_stopped(&self, held: &mut Held) {
        held.one_stopped().await;
        self.release_ended(held).await;
    }

    /// Releases the leases of subscribers that ended.
    async fn release_ended(&self, held: &mut Held) {
        let ended = |running: &mut Running| running.task.is_finished();
        let mut leases = Vec::new();
        for running in held.running.extract_if(.., ended) {
            if !running.stop.is_cancelled() {
                // The subscriber ended by itself because it needs a newer build.
                let pause = Duration::from_millis(self.settings.blocked_retry_ms);
                let ability = running.assignment.ability();
                held.given_up.insert(ability, Instant::now() + pause);
            }
            leases.push(running.lease);
        }
        self.release(&leases).await;
    }

    /// Renews all leases in one statement: that which shows that this process runs, and that of every running
    /// assignment. An assignment whose lease is lost, or may have expired, is stopped.
    async fn renew(&self, held: &mut Held) {
        let leases = held.running.iter().map(|running| &running.lease);
        let leases: Vec<_> = leases.chain(&held.presence).collect();
        if leases.is_empty() {
            return;
        }
        let renewed = self.leases.renew_all(leases).await;
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

    /// Takes what is this process's own and free, and stops what is another's.
    async fn rebalance(&self, held: &mut Held) -> sqlx::Result<()> {
        if held.presence.is_none() {
            let Some(presence) = self.leases.take(&presence::lease(self.holder)).await? else {
                return Ok(());
            };
            held.presence = Some(presence);
        }
        let mut snapshot = self.pool.with_timeout(Snapshot::read(&self.pool)).await?;
        self.announce(held, &mut snapshot).await?;
        held.report_beyond_all(&snapshot);
        let (owners, assignments) = (distribute(&snapshot), snapshot.assignments());
        for running in held.active() {
            let lease = &running.lease.name;
            let owner = owners.get(lease);
            if owner.is_some_and(|owner| *owner != self.holder)
                || assignments.get(lease) != Some(&&running.assignment)
            {
                running.stop.cancel();
            }
        }
        let running = held.running.iter().map(|it| it.lease.name.clone());
        let running: HashSet<_> = running.collect();
        let own: BTreeMap<_, _> = snapshot
            .free()
            .map(|assignment| (assignment.lease(), assignment))
            .filter(|(lease, _)| owners.get(lease) == Some(&self.holder))
            .filter(|(lease, _)| !running.contains(lease))
            .collect();
        if own.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = own.keys().cloned().collect();
        for lease in self.leases.take_all(&names).await? {
            let assignment = own[&lease.name];
            held.running.extend(self.start(assignment, lease));
        }
        Ok(())
    }

    /// Tells the others what this process can run, if that is not what they know. What it gave up it takes up
    /// again, after a pause, only as long as no other projector can run it: so two builds never hand it to and fro.
    async fn announce(&self, held: &mut Held, snapshot: &mut Snapshot) -> sqlx::Result<()> {
        held.given_up.retain(|ability, until| {
            Instant::now() < *until || snapshot.has_other(ability, self.holder)
        });
        let mut abilities = self.build.abilities();
        abilities.retain(|ability| !held.given_up.contains_key(ability));
        let abilities = Some(abilities);
        if snapshot.projectors.get(&self.holder) != Some(&abilities) {
            let announced = presence::announce(&self.pool, self.holder, abilities.iter().flatten());
            self.pool.with_timeout(announced).await?;
            snapshot.projectors.insert(self.holder, abilities);
        }
        Ok(())
    }

    fn start(&self, assignment: &Assignment, lease: Lease) -> Option<Running> {
        let stop = CancellationToken::new();
        let following = tokio::spawn(follow(
            self.build.subscriber(assignment)?,
            self.source.clone(),
            self.settings.clone(),
            None,
            stop.clone(),
        ));
        Some(Running {
            assignment: assignment.clone(),
            lease,
            renewed_at: Instant::now(),
            stop,
            task: AbortOnDropHandle::new(following),
        })
    }

    /// Stops all assignments and releases all leases, so that other projectors continue at once. First they learn that
    /// this one leaves: else they would leave to it what it has released, and even give it more.
    async fn release_all(&self, mut held: Held) {
        held.active().for_each(|running| running.stop.cancel());
        self.release(&held.presence).await;
        while !held.running.is_empty() {
            self.release_stopped(&mut held).await;
        }
    }

    async fn release(&self, leases: impl IntoIterator<Item = &Lease>) {
        let leases: Vec<_> = leases.into_iter().collect();
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.leases.release(leases).await {
            tracing::warn!(%error, "leases cannot be released; they will expire");
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

    /// Waits until a subscriber that was told to stop has ended.
    async fn one_stopped(&mut self) {
        poll_fn(|context| {
            let mut stopping = self.running.iter_mut().filter(|it| it.stop.is_cancelled());
            if stopping.any(|it| Pin::new(&mut it.task).poll(context).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Reports what no running projector can run: it stands still until one of a build that can is started.
    fn report_beyond_all(&mut self, snapshot: &Snapshot) {
        let beyond_all: BTreeSet<_> = snapshot.beyond_all().map(Assignment::lease).collect();
        for assignment in beyond_all.difference(&self.beyond_all) {
            tracing::warn!(
                assignment,
                "no running projector can run this; it needs one of another build"
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        gauge!("tidemark_unrunnable_assignments").set(beyond_all.len() as f64);
        self.beyond_all = beyond_all;
    }
}

#[cfg(test)]
mod tests;
