//! Generations: the builds of a read model. Which of them exist, and into how many shards each is divided.

use std::collections::BTreeMap;

use sqlx::PgPool;

/// One build of all rows of a read model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The number of the generation among those of its read model, from 1 on.
    pub number: i32,
    /// The version of the fold that makes the rows.
    pub fold_version: i32,
}

/// A generation that is kept up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedGeneration {
    /// The name of the read model.
    pub read_model: String,
    /// Which of its generations it is.
    pub generation: Generation,
    /// How many shards it has.
    pub shards: i32,
}

/// All generations that are kept up to date, whether or not they serve. The number of shards of one that has none
/// yet is decided now for ever: the number that `configured` has for the read model, or 1.
///
/// # Errors
/// If Postgres cannot be asked.
pub async fn divide(
    pool: &PgPool,
    configured: &BTreeMap<String, i32>,
) -> sqlx::Result<Vec<FollowedGeneration>> {
    let (read_models, shards): (Vec<_>, Vec<_>) = configured.clone().into_iter().unzip();
    sqlx::query!(
        r#"
        with divided as (
            update generations
               set shards = coalesce(
                       (select c.shards
                          from unnest($1::text[], $2::integer[]) as c (read_model, shards)
                         where c.read_model = generations.read_model), 1)
             where shards is null
            returning read_model, generation, shards
        )
        insert into checkpoints (read_model, generation, shard)
        select d.read_model,
               d.generation,
               generate_series(1, d.shards - 1)
          from divided d
        "#,
        &read_models,
        &shards,
    )
    .execute(pool)
    .await?;
    let followed = sqlx::query!(
        r#"
        select read_model,
               generation,
               fold_version,
               shards as "shards!"
          from generations
         where state <> 'dropped'
         order by read_model,
                  generation
        "#,
    )
    .fetch_all(pool)
    .await?;
    let followed = followed.into_iter().map(|row| FollowedGeneration {
        read_model: row.read_model,
        generation: Generation {
            number: row.generation,
            fold_version: row.fold_version,
        },
        shards: row.shards,
    });
    Ok(followed.collect())
}
