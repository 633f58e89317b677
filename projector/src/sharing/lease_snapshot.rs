//! All leases at one moment: which projectors run, and what each of them holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemark_event_store::TimedPool;
use uuid::Uuid;

use super::presence;

/// All leases at one moment.
#[derive(Debug)]
pub(super) struct LeaseSnapshot {
    /// The holder of each lease by its name; `None` if the lease has expired.
    holders: BTreeMap<String, Option<Uuid>>,
    /// The leases that expired longer ago than a lease lasts, so that every other projector has had the
    /// time to take them.
    orphaned: BTreeSet<String>,
}

impl LeaseSnapshot {
    /// Reads all leases. `lease_duration` is the time for which a lease is taken.
    pub(super) async fn read(pool: &TimedPool, lease_duration: Duration) -> sqlx::Result<Self> {
        let query = sqlx::query!(
            r#"
            select name,
                   holder,
                   expires_at > clock_timestamp() as "is_held!",
                   expires_at < clock_timestamp() - make_interval(secs => $1) as "is_orphaned!"
              from leases
            "#,
            lease_duration.as_secs_f64(),
        )
        .fetch_all(&**pool);
        let leases = pool.with_timeout(query).await?;
        let orphaned = leases.iter().filter(|lease| lease.is_orphaned);
        Ok(Self {
            orphaned: orphaned.map(|lease| lease.name.clone()).collect(),
            holders: leases
                .into_iter()
                .map(|lease| (lease.name, lease.is_held.then_some(lease.holder)))
                .collect(),
        })
    }

    /// The number of projectors that run.
    pub(super) fn projectors(&self) -> usize {
        self.running_projectors().count()
    }

    /// Whether a process holds the lease.
    pub(super) fn is_held(&self, lease: &str) -> bool {
        self.holders.get(lease).is_some_and(Option::is_some)
    }

    /// Whether no projector took the lease although all of them had the time to.
    pub(super) fn is_orphaned(&self, lease: &str) -> bool {
        self.orphaned.contains(lease)
    }

    /// How many assignments the other projectors lack to have `share` each.
    pub(super) fn lacking_elsewhere(&self, share: usize, this_projector: Uuid) -> usize {
        let others = self
            .running_projectors()
            .filter(|holder| *holder != this_projector);
        others
            .map(|holder| share.saturating_sub(self.assignments_of(holder)))
            .sum()
    }

    fn running_projectors(&self) -> impl Iterator<Item = Uuid> {
        let presences = self
            .holders
            .iter()
            .filter(|(name, _)| name.starts_with(presence::PREFIX));
        presences.filter_map(|(_, holder)| *holder)
    }

    fn assignments_of(&self, projector: Uuid) -> usize {
        let held = self
            .holders
            .iter()
            .filter(|(_, holder)| **holder == Some(projector));
        held.filter(|(name, _)| !name.starts_with(presence::PREFIX))
            .count()
    }
}
