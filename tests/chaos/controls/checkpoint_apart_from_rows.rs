//! A projector commits rows in one transaction and its checkpoint in the next, and dies in between.

use sqlx::PgPool;
use tidemark_events::Recorded;
use tidemark_tests::replay::Rows;
use uuid::Uuid;

use super::support::{log, observed, postgres};
use super::{Outcome, Setup};
use crate::invariants::read_models;
use crate::servers::ServerOptions;
use crate::supervisor::Supervisor;

const LENGTH: i64 = 100;
const BATCH: usize = 10;
/// The number of the batch whose checkpoint is not written.
const DIES_IN: usize = 4;

pub(super) async fn run(mut setup: Setup) -> Outcome {
    let supervisor = Supervisor::new();
    let postgres = postgres(&setup, &supervisor, &ServerOptions::default()).await;
    let pool = PgPool::connect(&postgres.url("postgres")).await.unwrap();
    for sql in [
        "create table rows (id uuid default gen_random_uuid(), position bigint, doc text)",
        "create table checkpoint as select 0::bigint as position",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let log = log(&mut setup.rng, LENGTH);
    project(&pool, &log, Some(DIES_IN)).await;
    project(&pool, &log, None).await;
    let rows: Vec<(Uuid, i64, String)> = sqlx::query_as("select id, position, doc from rows")
        .fetch_all(&pool)
        .await
        .unwrap();
    let rows: Rows = rows
        .into_iter()
        .map(|(id, position, doc)| (id, (position, doc)))
        .collect();
    let observed = observed(log, read_models::ROW_PER_EVENT, Rows::new(), rows, None);
    Outcome::Checked(read_models::not_applied_once(&observed))
}

async fn project(pool: &PgPool, log: &[Recorded], dies_in: Option<usize>) {
    let from: i64 = sqlx::query_scalar("select position from checkpoint")
        .fetch_one(pool)
        .await
        .unwrap();
    let rest = &log[usize::try_from(from).unwrap()..];
    for (number, batch) in rest.chunks(BATCH).enumerate() {
        let positions: Vec<i64> = batch.iter().map(|event| event.position).collect();
        let docs: Vec<&str> = batch.iter().map(|event| &*event.data).collect();
        let insert =
            "insert into rows (position, doc) select * from unnest($1::bigint[], $2::text[])";
        sqlx::query(insert)
            .bind(&positions)
            .bind(&docs)
            .execute(pool)
            .await
            .unwrap();
        // This is the mistake: the rows are committed, and the checkpoint is not.
        if dies_in == Some(number) {
            return;
        }
        sqlx::query("update checkpoint set position = $1")
            .bind(positions.last())
            .execute(pool)
            .await
            .unwrap();
    }
}
