//! This API, and its answers.

use reqwest::Client;
use serde_json::Value;
use tidemark_event_store::testing::{from_environment, with_database};
use tidemark_platform::Config;
use tidemark_platform::auth::{Issuer, User};
use tidemark_platform::clock::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::database::Database;

/// This API as a running process, which stops when this is dropped.
pub(crate) struct Api {
    url: String,
    issuer: Issuer,
    client: Client,
    _stop: DropGuard,
}

impl Api {
    /// Starts the API over this database, without Redis or a command API unless the settings in `more`
    /// name them.
    pub(crate) async fn start(database: &Database, more: &[(&str, &str)]) -> Self {
        let config = config(database, more);
        let issuer = Issuer::from_config(&config.auth).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let running = crate::run(config, listener, stop.clone());
        tokio::spawn(async { running.await.unwrap() });
        Self {
            url,
            issuer,
            client: Client::builder().no_proxy().build().unwrap(),
            _stop: stop.drop_guard(),
        }
    }

    /// Sends a request with these headers, and reads the whole answer.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let response = self.send(path, headers).await;
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|v| v.to_str().unwrap().to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            tidemark: header("tidemark").unwrap_or_default(),
            body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
        }
    }

    /// Sends a request with these headers, and leaves the body of the answer unread.
    pub(crate) async fn send(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send().await.unwrap()
    }

    /// The value of `Authorization` for a user with this role.
    pub(crate) fn authorization(&self, id: u128, role: &str) -> String {
        let user = User {
            id: Uuid::from_u128(id),
            session_id: Uuid::from_u128(1),
            roles: vec![role.to_owned()],
        };
        let now = Clock::system().now();
        format!(
            "Bearer {}",
            self.issuer.issue(now, Uuid::from_u128(1), &user).unwrap()
        )
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) tidemark: String,
    pub(crate) body: Value,
}

impl Answer {
    /// The status and the code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// What a problem says is wrong.
    pub(crate) fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// The field with this name of each item of a page.
    pub(crate) fn column(&self, name: &str) -> Vec<&Value> {
        let items = self.body["items"].as_array().unwrap();
        items.iter().map(|item| &item[name]).collect()
    }
}

fn config(database: &Database, more: &[(&str, &str)]) -> Config {
    let url = with_database(
        &from_environment("TIDEMARK_DATABASE__READ_URL"),
        &database.name,
    );
    let secret = format!("query-api={}", "s".repeat(32));
    let given = [
        "TIDEMARK_AUTH__SIGNING_KEY",
        "TIDEMARK_AUTH__VERIFYING_KEY",
        "TIDEMARK_SEALING__MASTER_KEY",
        "TIDEMARK_SEALING__LOOKUP_KEY",
    ];
    let given = given.map(|name| (name.to_owned(), from_environment(name)));
    let own = [
        ("TIDEMARK_DATABASE__READ_URL", &*url),
        ("TIDEMARK_SERVICE_TOKEN", &secret),
        ("TIDEMARK_TELEMETRY__LOG", "error"),
    ];
    let own = own.iter().chain(more);
    let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_vars(given.into_iter().chain(own)).unwrap()
}
