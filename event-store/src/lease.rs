//! Leases in Postgres, by its clock: who does what only one process may do at a time.
//!
//! A lease alone fences nothing: whoever holds one must also make its writes conditional (an epoch,
//! a checkpoint that is where it was left), since a paused process may wake after its lease ended.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::TimedPool;

/// A term of holding a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Rises with each term.
    pub epoch: i64,
}

/// The leases of one process.
#[derive(Clone, Debug)]
pub struct Leases {
    pool: TimedPool,
    holder: Uuid,
    ttl: PgInterval,
}

impl Leases {
    /// Leases for a process that calls itself `holder`, each good for `ttl` after it was taken or
    /// renewed.
    #[must_use]
    pub fn new(pool: TimedPool, holder: Uuid, ttl: Duration) -> Self {
        let microseconds = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let ttl = PgInterval {
            months: 0,
            days: 0,
            microseconds,
        };
        Self { pool, holder, ttl }
    }

    /// Takes the lease if nobody holds it now; a holder that lost track of its term takes a new one.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn take(&self, name: &str) -> sqlx::Result<Option<Lease>> {
        let query = sqlx::query_scalar!(
            r#"
            insert into leases (name, holder, epoch, expires_at)
            values ($1, $2, 1, clock_timestamp() + $3)
            on conflict (name) do update
               set holder = excluded.holder,
                   epoch = leases.epoch + 1,
                   expires_at = excluded.expires_at
             where leases.expires_at < clock_timestamp()
                or leases.holder = excluded.holder
            returning epoch
            "#,
            name,
            self.holder,
            self.ttl,
        )
        .fetch_optional(&*self.pool);
        let epoch = self.pool.with_timeout(query).await?;
        Ok(epoch.map(|epoch| Lease {
            name: name.to_owned(),
            epoch,
        }))
    }

    /// Prolongs a term. False if it is over: then stop at once.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn renew(&self, lease: &Lease) -> sqlx::Result<bool> {
        let query = sqlx::query!(
            r#"
            update leases
               set expires_at = clock_timestamp() + $4
             where name = $1
               and holder = $2
               and epoch = $3
               and expires_at > clock_timestamp()
            "#,
            lease.name,
            self.holder,
            lease.epoch,
            self.ttl,
        )
        .execute(&*self.pool);
        let renewed = self.pool.with_timeout(query).await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Ends a term on purpose, so that the next holder need not wait.
    ///
    /// # Errors
    /// If Postgres cannot be asked; then the lease runs out by itself.
    pub async fn release(&self, lease: &Lease) -> sqlx::Result<()> {
        let query = sqlx::query!(
            r#"
            update leases
               set expires_at = clock_timestamp()
             where name = $1
               and holder = $2
               and epoch = $3
            "#,
            lease.name,
            self.holder,
            lease.epoch,
        )
        .execute(&*self.pool);
        self.pool.with_timeout(query).await.map(drop)
    }
}
