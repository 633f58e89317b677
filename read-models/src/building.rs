//! Building a generation beside the one that serves, and putting one in the place of another.

use sqlx::{Connection, PgPool};

use crate::comparison::Compared;

/// How a generation is built.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The version of the fold that makes the rows.
    pub fold_version: i32,
    /// Into how many shards it is divided.
    pub shards: i32,
    /// Whether it may serve although its rows are not those of the generation that serves now.
    pub expects_changes: bool,
    /// Whether it is only compared, and then dropped.
    pub is_dry_run: bool,
    /// How many events each shard applies in a second at most while it is built.
    pub throttle: Option<i32>,
}

/// Makes an empty generation of a read model, which projectors then build. Returns its number; `None` if one is
/// being built already.
///
/// # Errors
/// If Postgres fails, or there is no such read model.
pub async fn begin(pool: &PgPool, read_model: &str, build: Build) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "select begin_generation($1, $2, $3, $4, $5, $6)",
        read_model,
        build.fold_version,
        build.shards,
        build.expects_changes,
        build.is_dry_run,
        build.throttle,
    )
    .fetch_one(pool)
    .await
}

/// Drops a generation that is being built, and makes an empty one in its place, in one step. Returns its number; `None` if
/// there was nothing to drop.
///
/// # Errors
/// If Postgres fails.
pub async fn begin_anew(
    pool: &PgPool,
    (read_model, generation): (&str, i32),
    build: Build,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "select case when drop_generation($1, $2) then begin_generation($1, $3, $4, $5, $6, $7) end",
        read_model,
        generation,
        build.fold_version,
        build.shards,
        build.expects_changes,
        build.is_dry_run,
        build.throttle,
    )
    .fetch_one(pool)
    .await
}

/// Stores what a comparison of a built generation found, and makes it ready to serve if it may.
///
/// # Errors
/// If Postgres fails.
pub async fn finish(
    pool: &PgPool,
    (read_model, generation): (&str, i32),
    compared: Option<&Compared>,
    is_ready: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update generations
           set comparison = $3,
               state = case when $4 then 'ready' else state end,
               state_since = clock_timestamp()
         where read_model = $1
           and generation = $2
           and state = 'building'
           and not paused
        "#,
        read_model,
        generation,
        compared.map(|compared| serde_json::to_value(compared).unwrap_or_default()),
        is_ready,
    )
    .execute(pool)
    .await
    .map(|_| ())
}

/// Counts that a comparison of a built generation left rows undecided. Returns how many have since the build was begun or
/// resumed; `None` if the generation is not being built.
///
/// # Errors
/// If Postgres fails.
pub async fn count_undecided(
    pool: &PgPool,
    (read_model, generation): (&str, i32),
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        r#"
        update generations
           set undecided_comparisons = undecided_comparisons + 1
         where read_model = $1
           and generation = $2
           and state = 'building'
           and not paused
        returning undecided_comparisons
        "#,
        read_model,
        generation,
    )
    .fetch_optional(pool)
    .await
}

/// Pauses the build of a generation, or goes on with it. If rows of it were left undecided, and none is known to differ, it
/// is then compared anew. Returns whether it is being built.
///
/// # Errors
/// If Postgres fails.
pub async fn pause(
    pool: &PgPool,
    read_model: &str,
    generation: i32,
    is_paused: bool,
) -> sqlx::Result<bool> {
    let paused = sqlx::query!(
        r#"
        update generations
           set paused = $3,
               comparison = case when $3 or comparison ->> 'different_rows' <> '0' then comparison end,
               undecided_comparisons = case when $3 then undecided_comparisons else 0 end
         where read_model = $1
           and generation = $2
           and state = 'building'
        "#,
        read_model,
        generation,
        is_paused,
    );
    Ok(paused.execute(pool).await?.rows_affected() == 1)
}

/// Lets a generation serve in one step, and keeps the one that did for a rollback. Returns whether it did: the
/// generation must be built, and not be dropped or serving already.
///
/// # Errors
/// If Postgres fails.
pub async fn serve(
    pool: &PgPool,
    (read_model, generation): (&str, i32),
    level_events: u32,
) -> sqlx::Result<bool> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let kept = sqlx::query!(
        r#"
        update generations
           set state = 'kept',
               state_since = clock_timestamp()
         where read_model = $1
           and state = 'serving'
           and generation <> $2
        "#,
        read_model,
        generation,
    )
    .execute(&mut *transaction)
    .await?;
    let serves = sqlx::query!(
        r#"
        update generations
           set state = 'serving',
               paused = false,
               state_since = clock_timestamp()
         where read_model = $1
           and generation = $2
           and state in ('ready', 'kept')
           and can_serve(read_model, generation, $3)
        "#,
        read_model,
        generation,
        i64::from(level_events),
    )
    .execute(&mut *transaction)
    .await?;
    if kept.rows_affected() != 1 || serves.rows_affected() != 1 {
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}

/// Drops a generation that does not serve. Returns whether there was one. It waits for nobody; what was built is deleted
/// by [`delete_dropped`].
///
/// # Errors
/// If Postgres fails.
pub async fn drop(pool: &PgPool, read_model: &str, generation: i32) -> sqlx::Result<bool> {
    let dropped = sqlx::query_scalar!(
        r#"select drop_generation($1, $2) as "dropped!""#,
        read_model,
        generation,
    );
    dropped.fetch_one(pool).await
}

/// Deletes a part of what is left of a dropped generation, of what is parked at most `rows_max` rows. Returns whether
/// nothing is left.
///
/// # Errors
/// If Postgres fails, or queries hold the deletion up for long: then it may be repeated.
pub async fn delete_dropped(
    pool: &PgPool,
    (read_model, generation): (&str, i32),
    rows_max: u32,
) -> sqlx::Result<bool> {
    let deleted = sqlx::query_scalar!(
        r#"select delete_dropped($1, $2, $3) as "is_gone!""#,
        read_model,
        generation,
        i64::from(rows_max),
    );
    deleted.fetch_one(pool).await
}
