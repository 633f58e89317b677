//! Into how many shards read models are divided, on a real Postgres.

use uuid::Uuid;

use super::*;
use crate::testing::Database;

fn stores(database: &Database, shards: &[(&str, i32)]) -> Stores {
    let name = |(name, shards): &(&str, i32)| ((*name).to_owned(), *shards);
    Stores {
        pool: database.pool.clone(),
        documents: None,
        shards: shards.iter().map(name).collect(),
        config: database.config(&[]),
    }
}

async fn leases(database: &Database, shards: &[(&str, i32)]) -> Vec<String> {
    let duties = all(&stores(database, shards)).await.unwrap();
    duties.into_iter().map(|duty| duty.lease).collect()
}

#[tokio::test]
async fn the_first_projector_divides_and_the_next_ones_keep_to_that() {
    let database = Database::new("divide").await;
    let first = leases(&database, &[("auction", 3)]).await;
    assert_eq!(database.checkpoints("auction").await, [0, 0, 0]);
    assert_eq!(database.checkpoints("bid").await, [0]);
    assert_eq!(
        leases(&database, &[("auction", 2), ("bid", 2)]).await,
        first
    );
    assert_eq!(leases(&database, &[]).await, first);
    let read_models = for_each_read_model!(name()).len();
    assert_eq!(first.len(), read_models + 2 + PROCESSES.len());
    let seconds = first
        .iter()
        .position(|lease| lease == "projection:auction:1:1");
    assert_eq!(seconds, Some(read_models), "after all first shards");
}

#[tokio::test]
async fn a_read_model_that_does_not_exist_has_no_shards() {
    let database = Database::new("unknown").await;
    let config = database.config(&[("TIDEMARK_PROJECTION__SHARDS__AUKTION", "3")]);
    let error = configured_shards(&config.projection).unwrap_err();
    assert!(error.to_string().contains("`auktion`"), "{error}");
}

#[tokio::test]
async fn rows_are_in_the_same_shard_for_us_and_for_the_database() {
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
