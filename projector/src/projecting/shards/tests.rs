//! How many shards read models have, on a real Postgres.

use tidemark_read_models::Shard;
use uuid::Uuid;

use super::*;
use crate::testing::Database;

#[test]
fn shards_of_a_read_model_that_does_not_exist_are_refused() {
    let setting = ("TIDEMARK_PROJECTION__SHARDS__AUKTION", "3");
    let config =
        tidemark_platform::Config::from_vars([setting].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let error = configured(&config.unwrap().projection).unwrap_err();
    assert!(error.to_string().contains("`auktion`"), "{error}");
}

#[tokio::test]
async fn rows_are_in_the_same_shard_for_rust_and_for_the_database() {
    let database = Database::new("shard_of").await;
    let sql = "select id, shards, shard_of(id, shards)
                 from (select gen_random_uuid() as id from generate_series(1, 500)
                        union all select $1 union all select $2) ids,
                      unnest(array[1, 2, 3, 255]) shards";
    let rows: Vec<(Uuid, i32, i32)> = sqlx::query_as(sql)
        .bind(Uuid::nil())
        .bind(Uuid::max())
        .fetch_all(&*database.pool)
        .await
        .unwrap();
    for (id, shards, number) in rows {
        assert_eq!(Shard::of(id, shards).number, number, "{id} of {shards}");
    }
}

#[tokio::test]
async fn the_first_projector_divides_read_models_and_later_ones_keep_the_division() {
    let database = Database::new("divide").await;
    let divide = async |wanted: &[(&str, i32)]| {
        let count = |(name, shards): &(&str, i32)| ((*name).to_owned(), *shards);
        let wanted = wanted.iter().map(count).collect();
        actual(&database.pool, &wanted).await.unwrap()
    };
    let first = divide(&[("auction", 3)]).await;
    assert_eq!(database.checkpoints("auction").await, [0, 0, 0]);
    assert_eq!(database.checkpoints("bid").await, [0]);
    assert_eq!(divide(&[("auction", 2), ("bid", 2)]).await, first);
    assert_eq!(divide(&[]).await, first);
}
