//! A Tidemark for one test: a database, topics and keys of its own, and the processes that the test
//! needs, which run in the test's own process through the `run` function of each.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidemark_command_api::ProcessRoles;
use tidemark_projector::Role;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::object_store::BUCKET;
use crate::topics::Topics;
use crate::{Client, Database, KeptPort, ObjectStore, Process, Settings, User};

/// Where processes listen that need not be started again at their address.
const ANY_ADDRESS: &str = "127.0.0.1:0";

/// A Tidemark of one test. Its processes, database and topics end when it is dropped.
#[derive(Debug)]
pub struct App {
    /// The settings of its processes, and of those that are started later.
    pub settings: Settings,
    /// A client without a credential, from which all others are made.
    pub client: Client,
    pub(crate) admin: OnceCell<User>,
    pub(crate) users: AtomicUsize,
    pub(crate) relay: bool,
    pub(crate) projector: AtomicBool,
    /// The processes that run in this one, in the order in which they were started.
    running: Vec<InProcess>,
    /// Kept while no command API runs.
    _command_port: Option<KeptPort>,
    /// Dropped after everything that uses it.
    pub database: Database,
    /// Dropped last: a relay that still had the log would create the topics again.
    _topics: Option<Topics>,
}

/// A process of Tidemark that runs as a task of the test's own process.
#[derive(Debug)]
pub struct InProcess {
    /// The URL at which it listens.
    pub url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Says what an [`App`] consists of besides the command API.
#[derive(Clone, Debug, Default)]
pub struct AppBuilder {
    relay: bool,
    projector: bool,
    queries: bool,
    changed: Vec<(String, String)>,
}

impl AppBuilder {
    /// Adds the relay, so that everything follows Kafka. Without a broker everything follows the log.
    #[must_use]
    pub const fn relay(mut self) -> Self {
        self.relay = true;
        self
    }

    /// Adds a projector.
    #[must_use]
    pub const fn projector(mut self) -> Self {
        self.projector = true;
        self
    }

    /// Adds a query API.
    #[must_use]
    pub const fn queries(mut self) -> Self {
        self.queries = true;
        self
    }

    /// Gives a setting, `TIDEMARK_…`, another value.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.changed.push((name.to_owned(), value.to_string()));
        self
    }

    /// Keeps media in a bucket of this store.
    #[must_use]
    pub fn media_in(mut self, store: &ObjectStore) -> Self {
        for (name, value) in store.settings() {
            self = self.set(name, value);
        }
        self.set("TIDEMARK_MEDIA__PLACE", format!("s3://{BUCKET}/media"))
    }

    /// Starts all processes that were asked for.
    pub async fn start(self) -> App {
        let database = Database::fresh().await;
        let mut settings = Settings::new(&database);
        if !self.relay {
            settings.set("TIDEMARK_KAFKA__BROKERS", "");
        }
        for (name, value) in &self.changed {
            settings.set(name, value);
        }
        let topics = Topics::of(&settings).await;
        let relay = topics.is_some();
        let roles = ProcessRoles { api: true, relay };
        let kept = KeptPort::any();
        let listener = listen(kept.address()).await;
        let command_url = url_of(&listener);
        settings.set("TIDEMARK_COMMAND_API__URL", &*command_url);
        let mut running = vec![command_api(&settings, roles, listener)];
        if self.projector {
            running.push(projector(&settings, listen(ANY_ADDRESS).await));
        }
        let mut query_url = String::new();
        if self.queries {
            let listener = listen(ANY_ADDRESS).await;
            query_url = url_of(&listener);
            settings.set("TIDEMARK_QUERY_API__URL", &*query_url);
            running.push(query_api(&settings, listener));
        }
        App {
            client: Client::anonymous(&command_url, &query_url),
            settings,
            admin: OnceCell::new(),
            users: AtomicUsize::new(0),
            relay,
            projector: AtomicBool::new(self.projector),
            running,
            _command_port: Some(kept),
            database,
            _topics: topics,
        }
    }
}

impl App {
    /// Starts the command API alone, without its relay.
    pub async fn start() -> Self {
        AppBuilder::default().start().await
    }

    /// Starts every process: the command API with its relay, a projector and a query API.
    pub async fn start_all() -> Self {
        Self::builder().relay().projector().queries().start().await
    }

    /// Makes one of processes that run elsewhere, with these settings.
    pub(crate) fn of_processes(
        settings: Settings,
        database: Database,
        topics: Option<Topics>,
    ) -> Self {
        let url = |process: &str| settings.get(&format!("TIDEMARK_{process}__URL"));
        Self {
            client: Client::anonymous(url("COMMAND_API"), url("QUERY_API")),
            settings,
            admin: OnceCell::new(),
            users: AtomicUsize::new(0),
            relay: topics.is_some(),
            projector: AtomicBool::new(true),
            running: Vec::new(),
            _command_port: None,
            database,
            _topics: topics,
        }
    }

    /// Begins to choose what it consists of.
    #[must_use]
    pub fn builder() -> AppBuilder {
        AppBuilder::default()
    }

    /// The URL of the command API.
    #[must_use]
    pub fn command_url(&self) -> &str {
        self.settings.get("TIDEMARK_COMMAND_API__URL")
    }

    /// The URL of the query API.
    #[must_use]
    pub fn query_url(&self) -> &str {
        self.settings.get("TIDEMARK_QUERY_API__URL")
    }

    /// Starts one more command API in this process.
    pub async fn another_command_api(&self, roles: ProcessRoles) -> InProcess {
        command_api(&self.settings, roles, listen(ANY_ADDRESS).await)
    }

    /// Starts one more projector in this process.
    pub async fn another_projector(&self) -> InProcess {
        self.projector.store(true, Ordering::Relaxed);
        projector(&self.settings, listen(ANY_ADDRESS).await)
    }

    /// Starts one more query API in this process.
    pub async fn another_query_api(&self) -> InProcess {
        query_api(&self.settings, listen(ANY_ADDRESS).await)
    }

    /// Starts a command API as a process of its own, so that a test can kill it.
    pub async fn spawn_command_api(&self) -> Process {
        Process::command_api(&self.settings).await
    }

    /// Starts a projector as a process of its own, so that a test can kill it.
    pub async fn spawn_projector(&self) -> Process {
        self.projector.store(true, Ordering::Relaxed);
        Process::projector(&self.settings).await
    }

    /// Starts these parts of a projector as a process of its own, with these settings.
    pub async fn spawn_projector_as(&self, roles: &str, settings: &Settings) -> Process {
        self.projector.store(true, Ordering::Relaxed);
        Process::projector_as(roles, settings).await
    }

    /// Starts one more query API as a process of its own.
    pub async fn spawn_query_api(&self) -> Process {
        Process::query_api(&self.settings).await
    }

    /// Stops the command API gracefully, and starts another one at the same address.
    pub async fn restart_command_api(&mut self) {
        self.stop_command_api().await;
        self.start_command_api().await;
    }

    /// Stops the command API gracefully.
    pub async fn stop_command_api(&mut self) {
        self.running.remove(0).stop().await;
    }

    /// Starts the command API again, at the address that it had.
    pub async fn start_command_api(&mut self) {
        let (_, address) = self.command_url().split_once("//").unwrap();
        let listener = listen(address).await;
        let roles = ProcessRoles {
            api: true,
            relay: self.relay,
        };
        let again = command_api(&self.settings, roles, listener);
        self.running.insert(0, again);
    }
}

impl InProcess {
    /// Asks it to stop, and waits until it has ended.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    fn start<F, E>(
        listener: TcpListener,
        run: impl FnOnce(TcpListener, CancellationToken) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let url = url_of(&listener);
        let stop = CancellationToken::new();
        let work = run(listener, stop.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = work.await {
                panic!("a process ended: {error}");
            }
        });
        Self { url, stop, task }
    }
}

fn command_api(settings: &Settings, roles: ProcessRoles, listener: TcpListener) -> InProcess {
    let config = settings.config();
    InProcess::start(listener, |listener, stop| {
        tidemark_command_api::run(config, roles, listener, stop)
    })
}

fn projector(settings: &Settings, listener: TcpListener) -> InProcess {
    let config = settings.as_service("projector").config();
    InProcess::start(listener, |listener, stop| {
        tidemark_projector::run(config, &Role::ALL, listener, stop)
    })
}

fn query_api(settings: &Settings, listener: TcpListener) -> InProcess {
    let config = settings.as_service("query-api").config();
    InProcess::start(listener, |listener, stop| {
        tidemark_query_api::run(config, listener, stop)
    })
}

async fn listen(address: impl ToSocketAddrs) -> TcpListener {
    TcpListener::bind(address).await.unwrap()
}

fn url_of(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}
