//! Why a command of the command line failed.

use std::error::Error as StdError;

use sqlx::migrate::MigrateError;
use tidemark_platform::{auth, config, telemetry};

/// The exit code of most failures.
const EXIT_FAILURE: u8 = 1;
/// The exit code if the arguments do not have the right form.
const EXIT_ARGUMENTS: u8 = 2;
/// The exit code if a row cannot be made anew.
const EXIT_NOT_MADE: u8 = 5;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    #[error("cannot listen on {address}")]
    Listen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Run(#[from] crate::Error),
    #[error("Postgres failed")]
    Database(#[from] sqlx::Error),
    #[error("the database cannot be migrated")]
    Migrate(#[from] MigrateError),
    #[error("cannot connect to PostgreSQL at {server}, which {variable} names")]
    Unreachable {
        server: String,
        variable: &'static str,
        source: sqlx::Error,
    },
    #[error("{0} is not a URL of PostgreSQL")]
    NoUrl(&'static str),
    #[error("{at} cannot be read or written: {cause}")]
    Backup { at: String, cause: String },
    #[error("{0} is not empty; back up to a new place")]
    InUse(String),
    #[error("{0} holds no complete backup, because there is no `fingerprints`")]
    NoBackup(String),
    #[error("{0} is no place in an object store, which has the form s3://BUCKET/PREFIX")]
    NoObjectStore(String),
    #[error("an object store is sent the dump as one stream; leave out --jobs")]
    OneStream,
    #[error("the database is not empty; restore into a new one")]
    NotEmpty,
    #[error("{0}")]
    Program(String),
    #[error("the status cannot be written as JSON")]
    Output(#[from] serde_json::Error),
    #[error(transparent)]
    Credential(#[from] auth::Error),
    #[error("the password cannot be read")]
    Password(#[source] std::io::Error),
    #[error("the report cannot be read")]
    Report(#[source] std::io::Error),
    #[error("there is no read model `{0}`; there are {1}")]
    UnknownReadModel(String, String),
    #[error(
        "a generation of this read model has been begun and does not serve yet; `status` shows it, and `cancel` deletes it"
    )]
    AlreadyBuilt,
    #[error("no generation of this read model is being built")]
    NoneBuilt,
    #[error("no generation of this read model is kept that served before")]
    NoneKept,
    #[error("generation {0} cannot serve now: {1}")]
    CannotServe(i32, String),
    #[error("generation {0} {1}; only one that is kept can be dropped")]
    NotKept(i32, &'static str),
    #[error("several generations of this read model are kept ({0}); name one with --generation")]
    SeveralKept(String),
    #[error(
        "a newer version of the fold makes the generation that serves; use the tool of that build"
    )]
    OlderFold,
    #[error(
        "this build's fold makes other rows than the generation that serves has; add --expect-changes"
    )]
    OtherFold,
    #[error("the generation has changed meanwhile; `status` shows how it is")]
    Changed,
    #[error("no such action was given up")]
    NotGivenUp,
    #[error("there is no such action that was not done yet")]
    NotOpen,
    #[error("the rows of this read model take events of many streams; rebuild the read model")]
    ManyStreams,
    #[error(
        "the row cannot be made, because it is parked; have it tried again with `parked retry`"
    )]
    Parked,
    #[error("the shard of the row stands still; `status` shows why")]
    StandsStill,
    #[error("there is no such row, and no event makes one")]
    NoSuchRow,
    #[error("the row cannot be made of its events: {0}")]
    Unmakeable(String),
    #[error("the row could not be made anew and is as it was; the log of the projector says why")]
    NotMade,
    #[error("no such row is parked")]
    NotParked,
    #[error("the command API did not answer")]
    CommandApi(#[source] reqwest::Error),
    #[error("the command API refused: {0}")]
    Refused(String),
}

impl Error {
    /// The file or the object of a backup that has this name cannot be read or written.
    pub(crate) fn backup(name: &str, error: &(dyn StdError + 'static)) -> Self {
        let at = name.to_owned();
        let cause = cause(error);
        Self::Backup { at, cause }
    }

    /// A generation in this state is not kept.
    pub(crate) fn not_kept(generation: i32, state: Option<&str>) -> Self {
        let what = match state {
            Some("serving") => "serves",
            Some("building" | "ready") => "is being built, and `cancel` gives that up",
            Some("dropped") => "is dropped already",
            Some(_) => "is in a state that only a newer build knows",
            None => "does not exist",
        };
        Self::NotKept(generation, what)
    }

    /// The exit code of the tool.
    pub(super) const fn exit_code(&self) -> u8 {
        if matches!(
            self,
            Self::ManyStreams
                | Self::Parked
                | Self::NoSuchRow
                | Self::Unmakeable(_)
                | Self::NotMade
        ) {
            EXIT_NOT_MADE
        } else if matches!(self, Self::NoObjectStore(_) | Self::OneStream) {
            EXIT_ARGUMENTS
        } else {
            EXIT_FAILURE
        }
    }
}

/// What was wrong in the first place. An object store says it in XML.
fn cause(error: &(dyn StdError + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |&error| error.source()).last();
    let text = innermost.unwrap_or(error).to_string();
    let element = |name: &str| {
        let (_, from) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = from.split_once(&format!("</{name}>"))?;
        Some(value)
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("the object store answered {code}, {message}"),
        (Some(code), None) => format!("the object store answered {code}"),
        (None, _) => text.trim_end_matches([':', ' ']).to_owned(),
    }
}
