//! The relay's progress in Postgres. Each write is conditional on the term, so that a relay that
//! was paused and wakes in another's term changes nothing.

use std::collections::HashMap;

use sqlx::PgPool;

use super::error::Error;
use crate::kafka::Partition;

/// How far one partition is known to hold its share of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Of the last record acknowledged; 0 before the first.
    pub(super) position: i64,
    /// The offset right after it.
    pub(super) next_offset: i64,
}

/// What the term before this one left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) position: i64,
    /// Whether nothing of it can be in flight.
    pub(super) drained: bool,
}

/// Progress, as one term may read and write it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pool: PgPool,
    epoch: i64,
}

impl Progress {
    /// Makes `epoch` the only term that may write.
    pub(super) async fn claim(pool: PgPool, epoch: i64) -> Result<(Self, Left), Error> {
        let left = sqlx::query_as!(
            Left,
            r#"
            with before as (
                select position,
                       drained
                  from relay_progress
                 where epoch < $1
                   for update
            )
            update relay_progress
               set epoch = $1,
                   drained = false
              from before
            returning before.position as "position!",
                      before.drained as "drained!"
            "#,
            epoch,
        )
        .fetch_optional(&pool)
        .await?
        .ok_or(Error::Fenced)?;
        Ok((Self { pool, epoch }, left))
    }

    pub(super) const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The number of partitions that each topic was made with.
    pub(super) async fn topics(&self) -> Result<HashMap<String, i32>, Error> {
        let topics = sqlx::query!("select topic, partitions from relay_topics")
            .fetch_all(&self.pool)
            .await?;
        Ok(topics
            .into_iter()
            .map(|row| (row.topic, row.partitions))
            .collect())
    }

    /// Records the number of partitions of topics that are new.
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

    /// What was saved of each partition.
    pub(super) async fn places(&self) -> Result<HashMap<(String, i32), Place>, Error> {
        let rows =
            sqlx::query!("select topic, partition, position, next_offset from relay_partitions")
                .fetch_all(&self.pool)
                .await?;
        let places = rows.into_iter().map(|row| {
            let place = Place {
                position: row.position,
                next_offset: row.next_offset,
            };
            ((row.topic, row.partition), place)
        });
        Ok(places.collect())
    }

    /// Saves the confirmed position together with the partitions that moved.
    pub(super) async fn save(
        &self,
        position: i64,
        drained: bool,
        places: impl Iterator<Item = (&Partition, Place)>,
    ) -> Result<(), Error> {
        let (mut topics, mut numbers) = (Vec::new(), Vec::new());
        let (mut positions, mut offsets) = (Vec::new(), Vec::new());
        for (partition, place) in places {
            topics.push(partition.topic.to_string());
            numbers.push(partition.number);
            positions.push(place.position);
            offsets.push(place.next_offset);
        }
        // The update comes first: it waits for a claim under way and then finds another epoch.
        let held = sqlx::query_scalar!(
            r#"
            with term as (
                update relay_progress
                   set position = $2,
                       drained = $3
                 where epoch = $1
                returning epoch
            ), moved as (
                insert into relay_partitions (topic, partition, position, next_offset)
                select place.*
                  from term,
                       unnest($4::text[], $5::int[], $6::bigint[], $7::bigint[]) as place
                on conflict (topic, partition) do update
                   set position = excluded.position,
                       next_offset = excluded.next_offset
            )
            select count(*) as "count!"
              from term
            "#,
            self.epoch,
            position,
            drained,
            &topics,
            &numbers,
            &positions,
            &offsets,
        )
        .fetch_one(&self.pool)
        .await?;
        if held == 1 {
            Ok(())
        } else {
            Err(Error::Fenced)
        }
    }
}
