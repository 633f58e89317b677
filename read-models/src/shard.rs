//! Into how many shards a generation of a read model is divided, and which of them a row is in. It
//! knows nothing of rows and checkpoints.

use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;

/// One of the shards that the rows of a generation are divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0 on.
    pub number: i32,
    /// How many there are.
    pub shards: i32,
}

impl Shard {
    /// The shard of a row that is not divided from others.
    pub const ONLY: Self = Self {
        number: 0,
        shards: 1,
    };

    /// The shard that a row is in: the last four bytes of its id, as an unsigned number, modulo the
    /// shards. The last bytes of a UUIDv7 are random.
    ///
    /// The same for ever, since rows are where it said they are; and the same as `shard_of` in the
    /// database.
    #[must_use]
    pub fn of(id: Uuid, shards: i32) -> Self {
        let [.., a, b, c, d] = *id.as_bytes();
        let number = i64::from(u32::from_be_bytes([a, b, c, d])) % i64::from(shards.max(1));
        Self {
            // Below `shards`, so it fits.
            number: i32::try_from(number).unwrap_or(0),
            shards,
        }
    }

    /// All shards of a generation that has so many.
    pub fn all(shards: i32) -> impl Iterator<Item = Self> {
        (0..shards).map(move |number| Self { number, shards })
    }

    /// Whether a row is in this shard.
    #[must_use]
    pub fn holds(self, id: Uuid) -> bool {
        Self::of(id, self.shards) == self
    }
}

/// Into how many shards each read model is divided in that generation. Where that is not decided yet,
/// it becomes what `configured` says, or one.
///
/// # Errors
/// If Postgres cannot be asked.
pub async fn divide(
    pool: &PgPool,
    generation: i32,
    configured: &BTreeMap<String, i32>,
) -> sqlx::Result<BTreeMap<String, i32>> {
    let (read_models, shards): (Vec<_>, Vec<_>) = configured.clone().into_iter().unzip();
    sqlx::query!(
        r#"
        with divided as (
            update generations
               set shards = coalesce(
                       (select c.shards
                          from unnest($2::text[], $3::integer[]) as c (read_model, shards)
                         where c.read_model = generations.read_model), 1)
             where generation = $1
               and shards is null
            returning read_model, generation, shards
        )
        insert into checkpoints (read_model, generation, shard)
        select d.read_model,
               d.generation,
               generate_series(1, d.shards - 1)
          from divided d
        "#,
        generation,
        &read_models,
        &shards,
    )
    .execute(pool)
    .await?;
    let divided = sqlx::query!(
        r#"
        select read_model,
               shards as "shards!"
          from generations
         where generation = $1
        "#,
        generation,
    )
    .fetch_all(pool)
    .await?;
    Ok(divided
        .into_iter()
        .map(|row| (row.read_model, row.shards))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_in_one_shard_for_ever() {
        let id = |text: &str| text.parse::<Uuid>().unwrap();
        for (row, of_3, of_255) in [
            ("0198a000-0000-7000-8000-000000000000", 0, 0),
            ("0198a000-0000-7000-8000-000000000005", 2, 5),
            ("0198a000-0000-7000-8000-1234567890ab", 2, 11),
            ("ffffffff-ffff-ffff-ffff-fffffffffffe", 2, 254),
        ] {
            let row = id(row);
            assert_eq!(Shard::of(row, 3).number, of_3, "{row}");
            assert_eq!(Shard::of(row, 255).number, of_255, "{row}");
            assert_eq!(Shard::of(row, 1), Shard::ONLY);
            assert_eq!(Shard::all(3).filter(|shard| shard.holds(row)).count(), 1);
        }
    }
}
