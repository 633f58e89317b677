//! How far the relay got, as Postgres stores it: a new term learns it here. Every write is fenced by the
//! epoch of the term, so that a relay that wakes up in another one's term changes nothing.

use std::collections::HashMap;

use sqlx::{Connection, PgExecutor, PgPool};

use super::error::Error;
use crate::kafka::Partition;

/// How far one partition holds the events that belong into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PartitionProgress {
    /// The position of the last event that Kafka acknowledged; 0 before the first.
    pub(super) position: i64,
    /// The offset right after the record of that event.
    pub(super) next_offset: i64,
    /// Records before this offset are not compared with the log: an operator had the relay go on behind them.
    pub(super) adopted_until: i64,
}

impl PartitionProgress {
    /// The progress of a partition that is published after this position, behind all that it holds before `end`.
    pub(super) const fn behind(position: i64, end: i64) -> Self {
        Self {
            position,
            next_offset: end,
            adopted_until: end,
        }
    }

    /// The progress when Kafka has acknowledged the event at this position too.
    pub(super) const fn advanced(self, position: i64, next_offset: i64) -> Self {
        Self {
            position,
            next_offset,
            ..self
        }
    }
}

/// What operators want of the relay, and no term has done yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requests {
    /// The position of the last request; 0 if there is none.
    pub(super) up_to: i64,
    /// Whether the topics keep what they hold, also what the log does not hold.
    pub(super) adopts: bool,
    /// The position from which the log is published again.
    pub(super) publish_from: Option<i64>,
}

/// How far the terms before this one got.
#[derive(Clone, Copy, Debug)]
pub(super) struct PreviousTerm {
    /// The position up to which Kafka has acknowledged every event.
    pub(super) confirmed: i64,
    /// Whether the last term ended with nothing in flight.
    pub(super) drained: bool,
}

/// The stored progress of the relay, for one term.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pool: PgPool,
    epoch: i64,
}

impl Progress {
    /// Begins the term `epoch`, which is the only one that may write from now on, and reads how far the
    /// terms before it got. An alarm of the term before is one until this term has found out for itself.
    pub(super) async fn begin_term(
        pool: PgPool,
        epoch: i64,
    ) -> Result<(Self, PreviousTerm), Error> {
        let previous = sqlx::query_as!(
            PreviousTerm,
            r#"
            with before as (
                select epoch,
                       position,
                       drained
                  from relay_progress
                 where epoch < $1
                   for update
            )
            update relay_progress
               set epoch = $1,
                   drained = false,
                   alarm_epoch = case when alarm_epoch = before.epoch then $1 end
              from before
            returning before.position as "confirmed!",
                      before.drained as "drained!"
            "#,
            epoch,
        )
        .fetch_optional(&pool)
        .await?
        .ok_or(Error::Fenced)?;
        Ok((Self { pool, epoch }, previous))
    }

    /// Lets operators see why the term `epoch` has stopped.
    pub(super) async fn save_alarm(pool: &PgPool, epoch: i64, alarm: &Error) -> sqlx::Result<()> {
        sqlx::query!(
            r#"
            update relay_progress
               set alarm = $2,
                   alarm_epoch = $1
             where epoch = $1
               and (alarm, alarm_epoch) is distinct from ($2, $1)
            "#,
            epoch,
            alarm.to_string(),
        )
        .execute(pool)
        .await
        .map(drop)
    }

    pub(super) const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// What operators want.
    pub(super) async fn requests(&self) -> Result<Requests, Error> {
        let requests = sqlx::query_as!(
            Requests,
            r#"
            select coalesce(max(position), 0) as "up_to!",
                   coalesce(bool_or(adopts), false) as "adopts!",
                   min(publish_from) as publish_from
              from relay_requests
            "#,
        );
        Ok(requests.fetch_one(&self.pool).await?)
    }

    /// The number of partitions that each topic was created with.
    pub(super) async fn partition_counts(&self) -> Result<HashMap<String, i32>, Error> {
        let topics = sqlx::query!("select topic, partitions from relay_topics")
            .fetch_all(&self.pool)
            .await?;
        Ok(topics
            .into_iter()
            .map(|row| (row.topic, row.partitions))
            .collect())
    }

    /// Records the number of partitions of those topics that are not recorded yet.
    pub(super) async fn add_topics(&self, topics: &[String], partitions: i32) -> Result<(), Error> {
        sqlx::query!(
            r#"
            insert into relay_topics (topic, partitions)
            select topic, $2
              from unnest($1::text[]) as new (topic)
            on conflict (topic) do nothing
            "#,
            topics,
            partitions,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The progress of each partition, by topic and number.
    pub(super) async fn partitions(
        &self,
    ) -> Result<HashMap<(String, i32), PartitionProgress>, Error> {
        let rows = sqlx::query!(
            "select topic, partition, position, next_offset, adopted_until from relay_partitions"
        )
        .fetch_all(&self.pool)
        .await?;
        let partitions = rows.into_iter().map(|row| {
            let progress = PartitionProgress {
                position: row.position,
                next_offset: row.next_offset,
                adopted_until: row.adopted_until,
            };
            ((row.topic, row.partition), progress)
        });
        Ok(partitions.collect())
    }

    /// Saves what the term begins with, and that it has done what operators wanted up to the position
    /// `requests_up_to`. From then on it publishes, so that there is no alarm any more.
    pub(super) async fn save_start(
        &self,
        confirmed: i64,
        partitions: impl Iterator<Item = (&Partition, PartitionProgress)>,
        requests_up_to: i64,
    ) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        self.save_by(&mut *transaction, confirmed, false, partitions)
            .await?;
        sqlx::query!("update relay_progress set alarm = null where alarm is not null")
            .execute(&mut *transaction)
            .await?;
        sqlx::query!(
            "delete from relay_requests where position <= $1",
            requests_up_to,
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Saves the confirmed position together with the partitions that made progress. `drained` says that
    /// nothing is in flight and the term sends nothing more.
    pub(super) async fn save(
        &self,
        confirmed: i64,
        drained: bool,
        partitions: impl Iterator<Item = (&Partition, PartitionProgress)>,
    ) -> Result<(), Error> {
        self.save_by(&self.pool, confirmed, drained, partitions)
            .await
    }

    async fn save_by(
        &self,
        executor: impl PgExecutor<'_>,
        confirmed: i64,
        drained: bool,
        partitions: impl Iterator<Item = (&Partition, PartitionProgress)>,
    ) -> Result<(), Error> {
        let (mut topics, mut numbers) = (Vec::new(), Vec::new());
        let (mut positions, mut offsets, mut adopted) = (Vec::new(), Vec::new(), Vec::new());
        for (partition, progress) in partitions {
            topics.push(partition.topic.to_string());
            numbers.push(partition.number);
            positions.push(progress.position);
            offsets.push(progress.next_offset);
            adopted.push(progress.adopted_until);
        }
        // The update comes first: if another term is just beginning, it waits for that and then finds
        // another epoch.
        let updated = sqlx::query_scalar!(
            r#"
            with term as (
                update relay_progress
                   set position = $2,
                       drained = $3
                 where epoch = $1
                returning epoch
            ), moved as (
                insert into relay_partitions (epoch, topic, partition, position, next_offset, adopted_until)
                select term.epoch,
                       place.*
                  from term,
                       unnest($4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[]) as place
                on conflict (topic, partition) do update
                   set epoch = excluded.epoch,
                       position = excluded.position,
                       next_offset = excluded.next_offset,
                       adopted_until = excluded.adopted_until
            )
            select count(*) as "count!"
              from term
            "#,
            self.epoch,
            confirmed,
            drained,
            &topics,
            &numbers,
            &positions,
            &offsets,
            &adopted,
        )
        .fetch_one(executor)
        .await?;
        if updated == 1 {
            Ok(())
        } else {
            Err(Error::Fenced)
        }
    }
}

#[cfg(test)]
mod tests;
