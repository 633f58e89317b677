//! The configuration of every process: one documented file of defaults (`default.toml`), an optional
//! file on top, the environment last. An unknown key is an error, so that a typing mistake never runs.
//! What a value means is decided by the part that uses it, not here.

mod http;
mod security;
mod storage;
mod work;

pub use http::{Http, Listener, LogFormat, Telemetry};
pub use security::{Auth, Sealing, ServiceGrant};
pub use storage::{Database, Kafka, Redis, Relay};
pub use work::{Executor, FeedChoice, Projection, Query, Reactor};

use std::collections::{BTreeMap, BTreeSet, HashMap};

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

const DEFAULTS: &str = include_str!("default.toml");
const FILE_VARIABLE: &str = "TIDEMARK_CONFIG";
/// Variables that steer `./dev` and the tests, and are none of a process's business.
const FOREIGN_PREFIXES: [&str; 2] = ["TIDEMARK_DEV_", "TIDEMARK_TEST_"];

/// All settings. Secrets never show in `Debug`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `name=secret,name=secret`: the services that may call this process.
    pub service_tokens: SecretString,
    /// `name=secret`: who this process is when it calls another.
    pub service_token: SecretString,
    /// One-time secret with which the first administrator is made; empty forbids it.
    pub bootstrap_secret: SecretString,
    /// Postgres: one URL a role, and the limits of the pools.
    pub database: Database,
    /// The broker and how it is spoken to.
    pub kafka: Kafka,
    /// The way from the log to Kafka.
    pub relay: Relay,
    /// The hot documents.
    pub redis: Redis,
    /// Where the command API listens.
    pub command_api: Listener,
    /// Where the query API listens.
    pub query_api: Listener,
    /// Where the projector answers its operators.
    pub projector: Listener,
    /// The loop that decides and appends.
    pub executor: Executor,
    /// Limits of every HTTP server.
    pub http: Http,
    /// Passwords and tokens.
    pub auth: Auth,
    /// Keys of personal data.
    pub sealing: Sealing,
    /// What each service may do, by name.
    pub services: BTreeMap<String, ServiceGrant>,
    /// The workers that keep read models.
    pub projection: Projection,
    /// The workers that answer facts with commands.
    pub reactor: Reactor,
    /// Reading.
    pub query: Query,
    /// Logs.
    pub telemetry: Telemetry,
}

/// Why there is no configuration to run with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source sets a key that `default.toml` does not list.
    #[error("unknown configuration key `{key}`, set by {origin}")]
    UnknownKey {
        /// The key, as in `http.body_bytes_max`.
        key: String,
        /// The variable or the file that sets it.
        origin: String,
    },
    /// The process needs a value that has no default.
    #[error("{variable} is not set (configuration key `{key}`)")]
    Missing {
        /// The key.
        key: &'static str,
        /// The environment variable that sets it.
        variable: String,
    },
    /// Two values contradict each other.
    #[error("`{longer}` must be longer than `{shorter}`")]
    TooShort {
        /// The key whose value is too small.
        longer: &'static str,
        /// The key whose value it must exceed.
        shorter: &'static str,
    },
    /// A source is unreadable or holds a value of the wrong type.
    #[error("the configuration cannot be read: {0}")]
    Unreadable(#[from] config::ConfigError),
}

impl Config {
    /// The configuration of this process.
    ///
    /// # Errors
    /// An unknown key, an unreadable file or a value of the wrong type; the message names it.
    pub fn load() -> Result<Self, Error> {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        Self::from_vars(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// The same with `vars` in place of the environment, so that several configurations fit in one process.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut vars: HashMap<_, _> = vars
            .into_iter()
            .filter(|(name, _)| name.starts_with("TIDEMARK_"))
            .filter(|(name, _)| {
                !FOREIGN_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            })
            .collect();
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let known = leaves(&defaults.collect()?);
        let mut builder = config::Config::builder().add_source(defaults);

        if let Some(path) = vars.remove(FILE_VARIABLE) {
            let file = File::new(&path, FileFormat::Toml);
            refuse_unknown(&known, &file, |_| path.clone())?;
            builder = builder.add_source(file);
        }
        let environment = Environment::with_prefix("TIDEMARK")
            .prefix_separator("_")
            .separator("__")
            .source(Some(vars));
        refuse_unknown(&known, &environment, variable)?;
        let config: Self = builder.add_source(environment).build()?.try_deserialize()?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that each are possible but contradict each other.
    const fn check(&self) -> Result<(), Error> {
        if self.database.response_timeout_ms <= self.database.statement_timeout_ms {
            return Err(Error::TooShort {
                longer: "database.response_timeout_ms",
                shorter: "database.statement_timeout_ms",
            });
        }
        Ok(())
    }
}

/// The text of a setting that has no default.
///
/// # Errors
/// If it is empty: the error names the variable that sets it.
pub fn required<'a>(value: &'a SecretString, key: &'static str) -> Result<&'a str, Error> {
    match value.expose_secret() {
        "" => Err(Error::Missing {
            key,
            variable: variable(key),
        }),
        text => Ok(text),
    }
}

/// The environment variable that sets `key`.
fn variable(key: &str) -> String {
    format!("TIDEMARK_{}", key.replace('.', "__").to_uppercase())
}

fn refuse_unknown(
    known: &BTreeSet<String>,
    source: &impl Source,
    origin: impl Fn(&str) -> String,
) -> Result<(), Error> {
    let unknown = leaves(&source.collect()?)
        .into_iter()
        .find(|key| !known.contains(key) && !is_named_by_operators(key));
    unknown.map_or(Ok(()), |key| {
        Err(Error::UnknownKey {
            origin: origin(&key),
            key,
        })
    })
}

/// Keys that hold a name, of a service or of a read model, cannot all be in the defaults.
fn is_named_by_operators(key: &str) -> bool {
    let is_service_grant = key.starts_with("services.") && key.ends_with(".commands");
    is_service_grant || key.starts_with("projection.shards.")
}

/// The keys that hold a value, dotted.
fn leaves(map: &Map<String, Value>) -> BTreeSet<String> {
    let of = |(key, value): (&String, &Value)| {
        if let ValueKind::Table(table) = &value.kind {
            leaves(table)
                .into_iter()
                .map(|inner| format!("{key}.{inner}"))
                .collect()
        } else {
            vec![key.clone()]
        }
    };
    map.iter().flat_map(of).collect()
}

/// A list in a file is a list; in the environment it is comma-separated text.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Text(String),
        Items(Vec<String>),
    }
    Ok(match List::deserialize(deserializer)? {
        List::Items(items) => items,
        List::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests;
