//! The settings of the processes of a test: the environment of this process, which `./dev` wrote, changed
//! for tests. They are kept as variables because the real binaries take variables.

use std::collections::BTreeMap;

use tidemark_platform::Config;

use crate::process::path_of;
use crate::{Database, from_environment};

/// What differs from production in tests: times are short and hashing passwords is cheap.
const FOR_TESTS: [(&str, &str); 31] = [
    ("TIDEMARK_AUTH__ARGON2_MEMORY_KIB", "64"),
    ("TIDEMARK_AUTH__ARGON2_ITERATIONS", "1"),
    // All clients of a test are at one address, from which many people register at once.
    ("TIDEMARK_HTTP__CONNECTIONS_PER_ADDRESS_MAX", "4096"),
    ("TIDEMARK_HTTP__IN_FLIGHT_PER_ADDRESS_MAX", "512"),
    ("TIDEMARK_AUTH__HASH_QUEUE_MAX", "256"),
    ("TIDEMARK_AUTH__HASH_PER_ADDRESS_MAX", "256"),
    ("TIDEMARK_AUTH__HASH_WAIT_MS", "10000"),
    // A test looks at what it has just done.
    ("TIDEMARK_HTTP__METRICS_AGE_MAX_MS", "0"),
    ("TIDEMARK_COMMAND_API__LISTEN", "127.0.0.1:0"),
    ("TIDEMARK_QUERY_API__LISTEN", "127.0.0.1:0"),
    ("TIDEMARK_PROJECTOR__LISTEN", "127.0.0.1:0"),
    // Nothing is paid for what goes into a folder or to a server of a test.
    ("TIDEMARK_SMS__ALLOWED_PREFIXES", "+"),
    ("TIDEMARK_MAIL__DIGEST_S", "1"),
    // Many processes share one Postgres and a few cores.
    ("TIDEMARK_DATABASE__MAX_CONNECTIONS", "5"),
    ("TIDEMARK_QUERY__PROMPT_CONNECTIONS", "2"),
    ("TIDEMARK_QUERY__DOCUMENT_CONNECTIONS", "2"),
    ("TIDEMARK_QUERY__LIST_CONNECTIONS", "2"),
    ("TIDEMARK_QUERY__AUDIT_CONNECTIONS", "1"),
    ("TIDEMARK_DATABASE__ACQUIRE_TIMEOUT_MS", "8000"),
    ("TIDEMARK_KAFKA__PARTITIONS", "2"),
    ("TIDEMARK_KAFKA__MESSAGE_TIMEOUT_MS", "1200"),
    ("TIDEMARK_RELAY__LEASE_MS", "1500"),
    ("TIDEMARK_RELAY__TAKEOVER_WAIT_MS", "1500"),
    ("TIDEMARK_PROJECTION__LEASE_MS", "1000"),
    ("TIDEMARK_PROJECTION__POLL_MS", "10"),
    ("TIDEMARK_PROJECTION__POLL_MAX_MS", "10"),
    ("TIDEMARK_PROJECTION__RETRY_MS", "50"),
    ("TIDEMARK_PROJECTION__CHECK_MS", "50"),
    ("TIDEMARK_REACTOR__POLL_MS", "20"),
    ("TIDEMARK_REACTOR__POLL_MAX_MS", "20"),
    ("TIDEMARK_TELEMETRY__LOG", "error"),
];

/// The services that call others. Tests give each a secret of its own.
const SERVICES: [&str; 4] = ["query-api", "projector", "operator", "mail-server"];

/// The settings of the processes of one test, as environment variables.
#[derive(Clone, Debug)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Takes the environment of this process, unchanged.
    #[must_use]
    pub fn from_variables() -> Self {
        let is_setting =
            |name: &str| name.starts_with("TIDEMARK_") && !name.starts_with("TIDEMARK_TEST_");
        let vars = std::env::vars().filter(|(name, _)| is_setting(name));
        let mut all = Self(vars.collect());
        let token = |name: &str| format!("{name}=secret-of-{name}-that-only-tests-know");
        all.set("TIDEMARK_SERVICE_TOKENS", SERVICES.map(token).join(","));
        all.set("TIDEMARK_SERVICE_TOKEN", token("operator"));
        all
    }

    /// The settings of processes on this database, with topics and keys of their own, and otherwise as
    /// in production.
    #[must_use]
    pub fn in_production(database: &Database) -> Self {
        let mut all = Self::from_variables();
        for role in ["OWNER", "APPEND", "RELAY", "PROJECT", "READ"] {
            let name = format!("TIDEMARK_DATABASE__{role}_URL");
            let url = database.url_like(&from_environment(&name));
            all.set(&name, url);
        }
        all.set("TIDEMARK_KAFKA__TOPIC_PREFIX", database.name());
        all.set("TIDEMARK_REDIS__KEY_PREFIX", database.name());
        let media = database.media_folder();
        all.set("TIDEMARK_MEDIA__PLACE", media.to_str().unwrap());
        all
    }

    /// The settings of processes on this database, changed for tests.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let mut all = Self::in_production(database);
        for (name, value) in FOR_TESTS {
            all.set(name, value);
        }
        all
    }

    /// Changes a setting.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The value of a setting; empty if it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// All settings, for a process of its own.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The configuration of a process that runs in this one. This program cannot look at pictures, as the command API's does.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut settings = self.0.clone();
        let inspector = settings.entry("TIDEMARK_MEDIA__INSPECTOR".to_owned());
        inspector.or_insert_with(|| path_of("tidemark-command-api").to_str().unwrap().to_owned());
        Config::from_vars(settings).unwrap()
    }

    /// The same settings with the credential of this service, which the process sends to others.
    #[must_use]
    pub fn as_service(&self, name: &str) -> Self {
        let mut settings = self.clone();
        let token = format!("{name}={}", self.service_secret(name));
        settings.set("TIDEMARK_SERVICE_TOKEN", token);
        settings
    }

    /// The secret of a service.
    #[must_use]
    pub fn service_secret(&self, name: &str) -> &str {
        let tokens = self.get("TIDEMARK_SERVICE_TOKENS").split(',');
        tokens
            .filter_map(|token| token.split_once('='))
            .find_map(|(known, secret)| (known == name).then_some(secret))
            .unwrap_or_else(|| panic!("TIDEMARK_SERVICE_TOKENS has no {name}"))
    }
}
