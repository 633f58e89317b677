//! A Tidemark as it is deployed: the real processes with the settings of production, on a database,
//! topics and keys of their own.

use crate::topics::Topics;
use crate::{App, Database, KeptPort, Process, Settings};

/// The three processes, and the app with which tests and benchmarks use them.
#[derive(Debug)]
pub struct Deployment {
    /// The process that takes commands, and relays the log to Kafka.
    pub command_api: Process,
    /// The process that keeps all read models.
    pub projector: Process,
    /// The process that answers queries.
    pub query_api: Process,
    /// The users, clients, database and topics. Dropped after the processes.
    pub app: App,
}

impl Deployment {
    /// Starts all processes, and waits until each is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts all processes with other values of some settings, and waits until each is ready.
    pub async fn start_with(changed: &[(&str, &str)]) -> Self {
        Self::start_on(Database::fresh().await, changed).await
    }

    /// The same on a database that may have events.
    pub async fn start_on(database: Database, changed: &[(&str, &str)]) -> Self {
        let mut settings = Settings::in_production(&database);
        for (name, value) in changed {
            settings.set(name, *value);
        }
        let processes = ["COMMAND_API", "PROJECTOR", "QUERY_API"];
        let _kept = processes.map(|process| listen_anywhere(&mut settings, process));
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

    /// Starts one more command API, whose relay waits to take over.
    pub async fn another_command_api(&self) -> Process {
        let mut settings = self.app.settings.clone();
        let _kept = listen_anywhere(&mut settings, "COMMAND_API");
        command_api(&settings).await
    }

    /// Starts one more query API, with other values of some settings.
    pub async fn another_query_api(&self, changed: &[(&str, String)]) -> Process {
        let mut settings = self.app.settings.clone();
        let _kept = listen_anywhere(&mut settings, "QUERY_API");
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
    let settings = settings.as_service("projector");
    let url = settings.get("TIDEMARK_PROJECTOR__URL");
    Process::in_production("tidemark-projector", &["run"], &settings, url).await
}

async fn query_api(settings: &Settings) -> Process {
    let settings = settings.as_service("query-api");
    let url = settings.get("TIDEMARK_QUERY_API__URL");
    Process::in_production("tidemark-query-api", &[], &settings, url).await
}

/// Lets a process listen at a port that is kept for it until it is ready.
fn listen_anywhere(settings: &mut Settings, process: &str) -> KeptPort {
    let port = KeptPort::any();
    let address = port.address().to_string();
    settings.set(
        &format!("TIDEMARK_{process}__URL"),
        format!("http://{address}"),
    );
    settings.set(&format!("TIDEMARK_{process}__LISTEN"), address);
    port
}
