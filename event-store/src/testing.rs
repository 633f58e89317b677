//! Databases for tests that are migrated but empty, on the server that the environment names. The
//! tests of several crates share it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::process;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

use crate::migrate;

/// Begins the name of every database of a test. The id of the process that made it follows, so that a later run
/// knows which databases have no owner any more, and two runs at once do not disturb each other.
pub const PREFIX: &str = "tidemark_test_";

/// The name of a database of this process.
#[must_use]
pub fn database_name(test: &str) -> String {
    format!("{PREFIX}{}_{test}", process::id())
}

/// The value of an environment variable that `./dev test` sets.
///
/// # Panics
/// If the variable is not set.
#[must_use]
pub fn from_environment(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with ./dev test"))
}

/// The URL of another database of the same server, with the same credentials.
///
/// # Panics
/// If `url` names no database.
#[must_use]
pub fn with_database(url: &str, name: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = address.rsplit_once('/').unwrap();
    if options.is_empty() {
        format!("{server}/{name}")
    } else {
        format!("{server}/{name}?{options}")
    }
}

/// Creates and migrates a database, in place of one of that name, and returns connections of the
/// role that owns its schema.
///
/// # Panics
/// If Postgres refuses any of it.
pub async fn create_database(name: &str) -> PgPool {
    let superuser = from_environment("TIDEMARK_TEST_DATABASE_URL");
    let mut connection = PgConnection::connect(&superuser).await.unwrap();
    for statement in [
        format!("drop database if exists {name} with (force)"),
        format!("create database {name} owner tidemark_owner"),
    ] {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let owner = with_database(&from_environment("TIDEMARK_DATABASE__OWNER_URL"), name);
    let owner = PgPool::connect_lazy(&owner).unwrap();
    migrate(&owner).await.unwrap();
    owner
}
