//! A poller follows the numbers of a sequence. A transaction with a smaller number may commit after
//! one with a greater number; the poller never sees what it wrote.

use sqlx::{Connection, PgConnection};
use tidemark_tests::replay::Rows;

use super::support::{observed, postgres, random_id, recorded};
use super::{Outcome, Setup};
use crate::invariants::read_models;
use crate::servers::ServerOptions;
use crate::supervisor::Supervisor;

/// Pairs of transactions, of which the first to insert is the second to commit.
const PAIRS: usize = 10;
const INSERT: &str = "insert into numbered default values";

pub(super) async fn run(mut setup: Setup) -> Outcome {
    let supervisor = Supervisor::new();
    let postgres = postgres(&setup, &supervisor, &ServerOptions::default()).await;
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
        .map(|position| recorded(&mut setup.rng, position))
        .collect();
    let row = |position| (random_id(&mut setup.rng), (position, String::new()));
    let rows: Rows = seen.into_iter().map(row).collect();
    let observed = observed(log, read_models::ROW_PER_EVENT, Rows::new(), rows, None);
    Outcome::Checked(read_models::not_applied_once(&observed))
}

/// Reads what is above the last number seen. This is the mistake: smaller numbers may still come.
async fn poll(connection: &mut PgConnection, seen: &mut Vec<i64>) {
    let above = "select position from numbered where position > $1 order by position";
    let new: Vec<i64> = sqlx::query_scalar(above)
        .bind(seen.last().copied().unwrap_or(0))
        .fetch_all(connection)
        .await
        .unwrap();
    seen.extend(new);
}
