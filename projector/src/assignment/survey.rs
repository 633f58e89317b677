//! What the leases say about the projectors that live and what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::PgPool;
use tidemark_event_store::TimedPool;
use uuid::Uuid;

/// Leases by which projectors show that they live.
const PRESENCE: &str = "projector:";
/// A projector that has been gone for so long is forgotten.
const FORGOTTEN_AFTER_S: f64 = 86_400.0;

/// All leases at one moment.
#[derive(Debug)]
pub(super) struct Survey {
    /// By name: the holder, if anybody holds it now.
    holders: BTreeMap<String, Option<Uuid>>,
    /// Those that nobody has held for as long as a lease lasts.
    orphaned: BTreeSet<String>,
}

/// The name of the lease by which a projector shows that it lives.
pub(super) fn presence(holder: Uuid) -> String {
    format!("{PRESENCE}{holder}")
}

/// Removes projectors of old.
pub(super) async fn forget_the_gone(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from leases
         where starts_with(name, $1)
           and expires_at < clock_timestamp() - make_interval(secs => $2)
        "#,
        PRESENCE,
        FORGOTTEN_AFTER_S,
    )
    .execute(pool)
    .await
    .map(drop)
}

impl Survey {
    pub(super) async fn take(pool: &TimedPool, ttl: Duration) -> sqlx::Result<Self> {
        let query = sqlx::query!(
            r#"
            select name,
                   holder,
                   expires_at > clock_timestamp() as "is_held!",
                   expires_at < clock_timestamp() - make_interval(secs => $1) as "is_orphaned!"
              from leases
            "#,
            ttl.as_secs_f64(),
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

    /// How many projectors live.
    pub(super) fn projectors(&self) -> usize {
        self.live_projectors().count()
    }

    pub(super) fn is_held(&self, lease: &str) -> bool {
        self.holders.get(lease).is_some_and(Option::is_some)
    }

    pub(super) fn is_orphaned(&self, lease: &str) -> bool {
        self.orphaned.contains(lease)
    }

    /// How much the other projectors hold less than their share.
    pub(super) fn free_places(&self, share: usize, me: Uuid) -> usize {
        let others = self.live_projectors().filter(|holder| *holder != me);
        others
            .map(|holder| share.saturating_sub(self.duties_of(holder)))
            .sum()
    }

    fn live_projectors(&self) -> impl Iterator<Item = Uuid> {
        let presences = self
            .holders
            .iter()
            .filter(|(name, _)| name.starts_with(PRESENCE));
        presences.filter_map(|(_, holder)| *holder)
    }

    fn duties_of(&self, projector: Uuid) -> usize {
        let held = self
            .holders
            .iter()
            .filter(|(_, holder)| **holder == Some(projector));
        held.filter(|(name, _)| !name.starts_with(PRESENCE)).count()
    }
}
