//! Which errors of Postgres are temporary for the client, and which are our fault.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use axum::http::StatusCode;
use sqlx::error::{DatabaseError, ErrorKind};

use super::*;

/// An error of Postgres with this SQLSTATE.
#[derive(Debug)]
struct PostgresError(&'static str);

impl fmt::Display for PostgresError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl StdError for PostgresError {}

impl DatabaseError for PostgresError {
    fn message(&self) -> &str {
        self.0
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

fn status(code: &'static str) -> StatusCode {
    let error = Error::from(sqlx::Error::Database(Box::new(PostgresError(code))));
    error.into_response().status()
}

#[test]
fn a_postgres_in_trouble_is_unavailable_for_a_while() {
    // Stopped or crashed backends, a starting server, a full disk, a failing disk, too many
    // connections, a deadlock, a lock that somebody holds for long.
    for code in [
        "57P01", "57P02", "57P03", "53100", "58030", "53300", "40P01", "55P03",
    ] {
        assert_eq!(status(code), StatusCode::SERVICE_UNAVAILABLE, "{code}");
    }
}

#[test]
fn a_wrong_statement_is_an_internal_error() {
    // An unknown column, a missing privilege, a number out of range.
    for code in ["42703", "42501", "22003"] {
        assert_eq!(status(code), StatusCode::INTERNAL_SERVER_ERROR, "{code}");
    }
}

#[test]
fn a_connection_that_is_cut_while_it_is_made_is_unavailable_for_a_while() {
    let cut = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
    let status = Error::from(cut).into_response().status();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
