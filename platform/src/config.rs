//! The configuration of every process: one documented file of defaults (`default.toml`), an optional file
//! that overrides it, and the environment, which overrides both. An unknown key is an error, so that no
//! process runs with a mistyped setting. Each section of the file has a module here, with its bounds.

mod auth;
mod bounds;
mod database;
mod executor;
mod http;
mod kafka;
mod keys;
mod list;
mod listener;
mod mail;
mod market;
mod media;
mod object_store;
mod projection;
mod query;
mod reactor;
mod rebuild;
mod redis;
mod relay;
mod sealing;
mod services;
mod sms;
mod tasks;
mod telemetry;

pub use auth::Auth;
pub use database::Database;
pub use executor::Executor;
pub use http::Http;
pub use kafka::Kafka;
pub use listener::Listener;
pub use mail::{Mail, MailTls};
pub use market::Market;
pub use media::Media;
pub use object_store::ObjectStore;
pub use projection::{FeedChoice, Projection};
pub use query::Query;
pub use reactor::Reactor;
pub use rebuild::Rebuild;
pub use redis::Redis;
pub use relay::Relay;
pub use sealing::Sealing;
pub use services::ServiceGrant;
pub use sms::Sms;
pub use tasks::Tasks;
pub use telemetry::{LogFormat, Telemetry};

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;

use config::{Environment, File, FileFormat, Source};
use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::bounds::longer_than;

const DEFAULTS: &str = include_str!("default.toml");
/// The variable with the path of the optional file.
const FILE_VARIABLE: &str = "TIDEMARK_CONFIG";
/// Variables that control `./dev` and the tests, and are not settings of a process.
const FOREIGN_PREFIXES: [&str; 2] = ["TIDEMARK_DEV_", "TIDEMARK_TEST_"];

/// All settings, as `default.toml` documents them. `Debug` does not show secrets.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`default.toml` documents each setting")]
pub struct Config {
    pub service_tokens: SecretString,
    pub service_token: SecretString,
    pub bootstrap_secret: SecretString,
    #[garde(dive)]
    pub database: Database,
    #[garde(dive)]
    pub kafka: Kafka,
    #[garde(dive)]
    pub relay: Relay,
    #[garde(dive)]
    pub redis: Redis,
    pub command_api: Listener,
    pub query_api: Listener,
    pub projector: Listener,
    #[garde(dive)]
    pub executor: Executor,
    #[garde(dive)]
    pub http: Http,
    #[garde(dive)]
    pub auth: Auth,
    pub sealing: Sealing,
    pub services: BTreeMap<String, ServiceGrant>,
    #[garde(dive)]
    pub projection: Projection,
    #[garde(dive)]
    pub reactor: Reactor,
    #[garde(dive)]
    pub rebuild: Rebuild,
    #[garde(dive)]
    pub market: Market,
    #[garde(dive)]
    pub query: Query,
    #[garde(dive)]
    pub object_store: ObjectStore,
    #[garde(dive)]
    pub media: Media,
    #[garde(dive)]
    pub mail: Mail,
    #[garde(dive)]
    pub sms: Sms,
    #[garde(dive)]
    pub tasks: Tasks,
    #[garde(dive)]
    pub telemetry: Telemetry,
}

/// Why a process has no configuration to run with.
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
    /// Settings are out of bounds or contradict each other. The text names each of them.
    #[error("{0}")]
    OutOfBounds(String),
    /// A source is unreadable or holds a value of the wrong type.
    #[error("the configuration cannot be read: {0}")]
    Unreadable(#[from] config::ConfigError),
}

impl Config {
    /// The configuration of this process.
    ///
    /// # Errors
    /// An unknown key, an unreadable file, or a value of the wrong type or out of bounds; the message names it.
    pub fn load() -> Result<Self, Error> {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        Self::from_vars(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// The configuration with `vars` in place of the environment, so that one process can hold several.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let is_foreign = |name: &str| {
            FOREIGN_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        let mut vars: HashMap<_, _> = vars
            .into_iter()
            .filter(|(name, _)| name.starts_with("TIDEMARK_") && !is_foreign(name))
            .collect();
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let known = keys::keys_of(&defaults.collect()?);
        let mut builder = config::Config::builder().add_source(defaults);

        if let Some(path) = vars.remove(FILE_VARIABLE) {
            let file = File::new(&path, FileFormat::Toml);
            keys::check(&known, &file, |_| path.clone())?;
            builder = builder.add_source(file);
        }
        let environment = Environment::with_prefix("TIDEMARK")
            .prefix_separator("_")
            .separator("__")
            .source(Some(vars));
        keys::check(&known, &environment, keys::variable)?;
        let config: Self = builder.add_source(environment).build()?.try_deserialize()?;
        config.check_bounds()?;
        Ok(config)
    }

    /// The URLs at which clients, recipients of mails and the provider of texts reach the command API; `""` where there is none.
    #[must_use]
    pub fn public_urls(&self) -> [&str; 3] {
        [
            &self.auth.issuer,
            &self.mail.public_url,
            &self.sms.callback_url,
        ]
    }

    /// Checks the bounds of every section, and the settings of one section that must exceed those of another.
    fn check_bounds(&self) -> Result<(), Error> {
        let report = self.validate().err();
        let out_of_bounds = report.iter().flat_map(garde::Report::iter);
        let mut errors: Vec<_> = out_of_bounds
            .map(|(key, error)| format!("`{key}` {error}"))
            .collect();
        for (longer, value, shorter, limit) in [
            (
                "relay.takeover_wait_ms",
                self.relay.takeover_wait_ms,
                "kafka.message_timeout_ms",
                self.kafka.message_timeout_ms,
            ),
            (
                "kafka.stall_ms",
                self.kafka.stall_ms,
                "relay.page_interval_ms",
                self.relay.page_interval_ms,
            ),
            (
                "executor.append_timeout_ms",
                self.executor.append_timeout_ms,
                "database.statement_timeout_ms",
                self.database.statement_timeout_ms,
            ),
            (
                "reactor.effect_timeout_ms",
                self.reactor.effect_timeout_ms,
                "mail.dialog_timeout_ms` + `mail.answer_timeout_ms` + `mail.quit_timeout_ms",
                self.mail.longest_ms(),
            ),
            (
                "reactor.effect_timeout_ms",
                self.reactor.effect_timeout_ms,
                "sms.request_timeout_ms",
                self.sms.request_timeout_ms,
            ),
            (
                "reactor.effect_timeout_ms",
                self.reactor.effect_timeout_ms,
                "tasks.call_timeout_ms",
                self.tasks.call_timeout_ms,
            ),
        ] {
            if let Err(error) = longer_than(shorter, limit)(&value, &()) {
                errors.push(format!("`{longer}` {error}"));
            }
        }
        let commands_max = self.executor.queue_max;
        let commands_max = commands_max.saturating_add(self.executor.queue_services_max);
        if self.http.in_flight_max <= commands_max {
            errors.push(
                "`http.in_flight_max` must exceed `executor.queue_max` and `executor.queue_services_max` together"
                    .to_owned(),
            );
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Error::OutOfBounds(errors.join("; ")))
        }
    }
}

/// The text of a setting that has no default.
///
/// # Errors
/// If it is empty; the message names the variable that sets it.
pub fn required<'a>(value: &'a SecretString, key: &'static str) -> Result<&'a str, Error> {
    match value.expose_secret() {
        "" => Err(Error::Missing {
            key,
            variable: keys::variable(key),
        }),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests;
