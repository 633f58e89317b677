//! Into how many shards each read model is divided: what the configuration wants, and what the database has.

use std::collections::BTreeMap;

use sqlx::PgPool;
use tidemark_platform::config::Projection;
use tidemark_read_models::{FollowedGeneration, ReadModel, divide, for_each_read_model};

use crate::error::Error;

/// The number of shards of each read model, by its name. A read model that is not in it has one shard.
pub(crate) type ShardCounts = BTreeMap<String, i32>;

/// The number of shards that the configuration wants.
///
/// # Errors
/// If it names a read model that does not exist.
pub(crate) fn configured(settings: &Projection) -> Result<ShardCounts, Error> {
    let known = for_each_read_model!(name());
    let configured = settings.shards.iter().map(|(read_model, shards)| {
        if known.contains(&read_model.as_str()) {
            Ok((read_model.clone(), i32::from(shards.get())))
        } else {
            Err(Error::UnknownReadModel("shards", read_model.clone()))
        }
    });
    configured.collect()
}

pub(crate) const fn name<M: ReadModel>() -> &'static str {
    M::NAME
}

/// All generations that are followed, with the numbers of shards that the database has. The first projector that
/// runs a read model divides it as configured; afterwards only a rebuild could change the number.
pub(crate) async fn actual(
    pool: &PgPool,
    configured: &ShardCounts,
) -> sqlx::Result<Vec<FollowedGeneration>> {
    let actual = divide(pool, configured).await?;
    for followed in &actual {
        let configured = count(configured, &followed.read_model);
        if configured != followed.shards {
            tracing::warn!(
                read_model = followed.read_model,
                shards = followed.shards,
                configured,
                "the read model does not have the configured number of shards; a rebuild is needed to change it"
            );
        }
    }
    Ok(actual)
}

/// The generations that the fold of this build makes.
pub(crate) fn of<M: ReadModel>(
    followed: &[FollowedGeneration],
) -> impl Iterator<Item = &FollowedGeneration> {
    followed
        .iter()
        .filter(|it| it.read_model == M::NAME && it.generation.fold_version == M::FOLD_VERSION)
}

/// The number of shards that the configuration wants for one read model.
pub(crate) fn count(counts: &ShardCounts, read_model: &str) -> i32 {
    counts.get(read_model).copied().unwrap_or(1)
}

#[cfg(test)]
mod tests;
