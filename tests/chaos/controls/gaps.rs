//! A poller reads events by the numbers of a sequence: whoever took an earlier number may commit later.

use sqlx::{Connection, PgConnection};
use tidemark_tests::replay::Rows;

use super::support::{evidence, id, postgres, recorded};
use super::{Caught, World};
use crate::check::models;
use crate::servers::Options;
use crate::supervisor::Supervisor;

/// Pairs of writers.
const PAIRS: usize = 10;
const INSERT: &str = "insert into numbered default values";

pub(super) async fn run(mut world: World) -> Caught {
    let supervisor = Supervisor::new();
    let postgres = postgres(&world, &supervisor, &Options::default()).await;
    postgres.make_roles(&world.machine);
    let url = postgres.url("postgres");
    let [mut slow, mut fast, mut poller] = [
        PgConnection::connect(&url).await.unwrap(),
        PgConnection::connect(&url).await.unwrap(),
        PgConnection::connect(&url).await.unwrap(),
    ];
    let table = "create table numbered (position bigserial primary key)";
    sqlx::query(table).execute(&mut fast).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..PAIRS {
        let mut open = slow.begin().await.unwrap();
        sqlx::query(INSERT).execute(&mut *open).await.unwrap();
        sqlx::query(INSERT).execute(&mut fast).await.unwrap();
        poll(&mut poller, &mut seen).await;
        open.commit().await.unwrap();
        poll(&mut poller, &mut seen).await;
    }
    let all: Vec<i64> = sqlx::query_scalar("select position from numbered order by position")
        .fetch_all(&mut poller)
        .await
        .unwrap();
    let log = all
        .into_iter()
        .map(|position| recorded(&mut world.rng, position))
        .collect();
    let row = |position| (id(&mut world.rng), (position, String::new()));
    let rows: Rows = seen.into_iter().map(row).collect();
    let evidence = evidence(log, models::EACH_EVENT, Rows::new(), rows, None);
    Caught::new("I8", models::applied(&evidence))
}

/// The mistake: what is not above the last one is never looked for again.
async fn poll(connection: &mut PgConnection, seen: &mut Vec<i64>) {
    let above = "select position from numbered where position > $1 order by position";
    let new: Vec<i64> = sqlx::query_scalar(above)
        .bind(seen.last().copied().unwrap_or(0))
        .fetch_all(connection)
        .await
        .unwrap();
    seen.extend(new);
}
