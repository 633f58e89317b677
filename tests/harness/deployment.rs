//! A Tidemark as it is deployed: the real processes with the settings of production, on a database,
//! topics and keys of their own.

use std::net::{Ipv4Addr, TcpListener};

use crate::topics::Topics;
use crate::{App, Database, Process, Settings};

/// The three processes, and who takes part.
#[derive(Debug)]
pub struct Deployment {
    /// Takes commands, and relays.
    pub command_api: Process,
    /// Keeps all read models.
    pub projector: Process,
    /// Answers queries.
    pub query_api: Process,
    /// Dropped after the processes.
    pub app: App,
}

impl Deployment {
    /// All of it, ready.
    pub async fn start() -> Self {
        let database = Database::fresh().await;
        let mut settings = Settings::in_production(&database);
        for process in ["COMMAND_API", "PROJECTOR", "QUERY_API"] {
            listen_anywhere(&mut settings, process);
        }
        let topics = Topics::of(&settings).await;
        let command_api = command_api(&settings).await;
        let (projector, query_api) = tokio::join!(projector(&settings), query_api(&settings));
        Self {
            app: App::of_processes(settings, database, topics),
            command_api,
            projector,
            query_api,
        }
    }

    /// One more query API, with another value of some settings.
    pub async fn another_query_api(&self, changed: &[(&str, String)]) -> Process {
        let mut settings = self.app.settings.clone();
        listen_anywhere(&mut settings, "QUERY_API");
        for (name, value) in changed {
            settings.set(name, value);
        }
        query_api(&settings).await
    }
}

async fn command_api(settings: &Settings) -> Process {
    let url = settings.get("TIDEMARK_COMMAND_API__URL");
    Process::in_production("tidemark-command-api", &[], settings, url).await
}

async fn projector(settings: &Settings) -> Process {
    let settings = settings.as_service("auction-timer");
    let url = settings.get("TIDEMARK_PROJECTOR__URL");
    Process::in_production("tidemark-projector", &["run"], &settings, url).await
}

async fn query_api(settings: &Settings) -> Process {
    let settings = settings.as_service("query-api");
    let url = settings.get("TIDEMARK_QUERY_API__URL");
    Process::in_production("tidemark-query-api", &[], &settings, url).await
}

/// At a port that was free a moment ago.
fn listen_anywhere(settings: &mut Settings, process: &str) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    settings.set(
        &format!("TIDEMARK_{process}__URL"),
        format!("http://{address}"),
    );
    settings.set(&format!("TIDEMARK_{process}__LISTEN"), address);
}
