//! Leases in Postgres: who may do a job that only one process may do at a time, and until when by the
//! clock of Postgres.
//!
//! A lease alone does not stop a zombie, a process that was paused and wakes after its lease has ended.
//! So every write that a lease protects needs a fence too: a condition on the epoch of the term, or on
//! a checkpoint that must still be where its holder left it.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::TimedPool;
use crate::interval::interval;

/// One term of a lease: the time for which one process holds it without a break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The name of the lease, which says what job it is for.
    pub name: String,
    /// The number of the term. Each term has a higher one than the term before.
    pub epoch: i64,
}

/// Takes, renews and releases leases for one process.
#[derive(Clone, Debug)]
pub struct Leases {
    pool: TimedPool,
    holder: Uuid,
    ttl: PgInterval,
}

impl Leases {
    /// Leases of the process whose id is `holder`. Each lasts for `ttl` after it was taken or renewed.
    #[must_use]
    pub fn new(pool: TimedPool, holder: Uuid, ttl: Duration) -> Self {
        Self {
            pool,
            holder,
            ttl: interval(ttl),
        }
    }

    /// Takes a lease and so begins a term, unless another process holds it: then the answer is `None`.
    /// A process that holds the lease already begins a new term.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn take(&self, name: &str) -> sqlx::Result<Option<Lease>> {
        Ok(self.take_all(&[name.to_owned()]).await?.pop())
    }

    /// Takes those of these leases in one statement that no other process holds, as [`Self::take`] does. A name may
    /// not be repeated.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn take_all(&self, names: &[String]) -> sqlx::Result<Vec<Lease>> {
        // In the order of their names, so that two processes that take the same leases do not wait for each other.
        let query = sqlx::query_as!(
            Lease,
            r#"
            insert into leases (name, holder, epoch, expires_at)
            select name,
                   $2,
                   1,
                   clock_timestamp() + $3
              from unnest($1::text[]) as name
             order by name
            on conflict (name) do update
               set holder = excluded.holder,
                   epoch = leases.epoch + 1,
                   expires_at = excluded.expires_at
             where leases.expires_at < clock_timestamp()
                or leases.holder = excluded.holder
            returning name, epoch
            "#,
            names,
            self.holder,
            self.ttl,
        )
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// Prolongs a term. `false` means that the term is over: its holder must stop at once.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn renew(&self, lease: &Lease) -> sqlx::Result<bool> {
        Ok(!self.renew_all([lease]).await?.is_empty())
    }

    /// Prolongs terms in one statement. Returns the names of those that go on; the holder of the others must
    /// stop at once.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn renew_all(
        &self,
        leases: impl IntoIterator<Item = &Lease>,
    ) -> sqlx::Result<HashSet<String>> {
        let (names, epochs) = names_and_epochs(leases);
        let query = sqlx::query_scalar!(
            r#"
            update leases
               set expires_at = clock_timestamp() + $4
              from unnest($1::text[], $2::bigint[]) as held (name, epoch)
             where leases.name = held.name
               and leases.epoch = held.epoch
               and leases.holder = $3
               and leases.expires_at > clock_timestamp()
            returning leases.name
            "#,
            &names,
            &epochs,
            self.holder,
            self.ttl,
        )
        .fetch_all(&*self.pool);
        let renewed = self.pool.with_timeout(query).await?;
        Ok(renewed.into_iter().collect())
    }

    /// Ends terms early in one statement, so that the next holders need not wait until the leases expire.
    ///
    /// # Errors
    /// If Postgres does not answer the query. Then the leases expire by themselves.
    pub async fn release(&self, leases: impl IntoIterator<Item = &Lease>) -> sqlx::Result<()> {
        let (names, epochs) = names_and_epochs(leases);
        let query = sqlx::query!(
            r#"
            update leases
               set expires_at = clock_timestamp()
              from unnest($1::text[], $2::bigint[]) as held (name, epoch)
             where leases.name = held.name
               and leases.epoch = held.epoch
               and leases.holder = $3
            "#,
            &names,
            &epochs,
            self.holder,
        )
        .execute(&*self.pool);
        self.pool.with_timeout(query).await.map(drop)
    }
}

fn names_and_epochs<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> (Vec<String>, Vec<i64>) {
    let leases = leases.into_iter();
    leases
        .map(|lease| (lease.name.clone(), lease.epoch))
        .unzip()
}

#[cfg(test)]
mod tests;
