//! Tidemark's own processes: the real binaries, each at the same address after every start.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tidemark_tests::Settings;

use crate::ports;
use crate::servers::Paths;
use crate::supervisor::{Program, Signal, Supervised, Supervisor};
use crate::wait::wait_until;

/// A process that is paused accepts connections and never answers: that is not ready.
const READYZ_TIMEOUT: Duration = Duration::from_secs(1);

static CLIENT: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().no_proxy().build().unwrap());

/// One of Tidemark's own processes.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) supervised: Arc<Supervised>,
    /// The URL that it listens at, after every start.
    pub(crate) url: String,
    /// The program that it runs unless a fault has changed that.
    original: Program,
    /// Whether it is a standby, which runs only while a fault wants it to.
    is_standby: bool,
}

/// What a process does.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    CommandApi,
    Relay,
    Projector,
    QueryApi,
}

/// Starts processes with common settings.
pub(super) struct Starter<'a> {
    pub(super) supervisor: &'a Supervisor,
    pub(super) paths: &'a Paths,
    pub(super) logs: &'a Path,
    pub(super) settings: Settings,
}

impl Starter<'_> {
    /// Starts `running` processes of a kind, and adds standbys up to `count`.
    pub(super) fn start(&self, kind: Kind, running: usize, count: usize) -> Vec<Process> {
        let start = |number| self.start_one(kind, number, ports::keep(), number > running);
        (1..=count).map(start).collect()
    }

    /// Starts one process, or adds a standby, that listens at this port.
    pub(super) fn start_one(
        &self,
        kind: Kind,
        number: usize,
        port: u16,
        is_standby: bool,
    ) -> Process {
        let program = kind.program(self.paths, &self.settings, port);
        let name = format!("{}-{number}", kind.name());
        let supervised = self
            .supervisor
            .add(&name, self.logs, program.clone(), is_standby);
        Process {
            supervised,
            url: url(port),
            original: program,
            is_standby,
        }
    }
}

/// The URL of a port of this machine.
pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::CommandApi => "command-api",
            Self::Relay => "relay",
            Self::Projector => "projector",
            Self::QueryApi => "query-api",
        }
    }

    /// The program that listens at this port.
    fn program(self, paths: &Paths, settings: &Settings, port: u16) -> Program {
        let (binary, arguments, section, service): (_, &[&str], _, _) = match self {
            Self::CommandApi => ("command-api", &["--roles", "api"], "COMMAND_API", None),
            Self::Relay => ("command-api", &["--roles", "relay"], "COMMAND_API", None),
            Self::Projector => ("projector", &["run"], "PROJECTOR", Some("projector")),
            Self::QueryApi => ("query-api", &[], "QUERY_API", Some("query-api")),
        };
        let mut settings = settings.clone();
        settings.set(
            &format!("TIDEMARK_{section}__LISTEN"),
            format!("127.0.0.1:{port}"),
        );
        if let Some(service) = service {
            settings = settings.as_service(service);
        }
        let binary = paths.binaries.join(format!("tidemark-{binary}"));
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Program {
            command: std::iter::once(binary.display().to_string())
                .chain(arguments)
                .collect(),
            environment: settings
                .vars()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..Program::default()
        }
    }
}

impl Process {
    /// Waits until it is ready, and returns how long that took.
    pub(crate) async fn ready(&self) -> Duration {
        self.wait_until("is ready", || self.is_ready()).await
    }

    /// Kills it (`kill -9`), and waits until it was started again and is ready; returns how long
    /// that took.
    pub(crate) async fn kill_and_wait(&self) -> Duration {
        let killed_at = Instant::now();
        let starts = self.supervised.starts();
        self.supervised.kill();
        self.wait_until("was started again", || async {
            self.supervised.starts() > starts
        })
        .await;
        self.ready().await;
        killed_at.elapsed()
    }

    /// Whether its `/readyz` says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let request = CLIENT.get(format!("{}/readyz", self.url));
        let answer = request.timeout(READYZ_TIMEOUT).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Ends it by SIGTERM and starts it with a changed program; ready when this returns.
    /// [`super::Stack::heal`] undoes the change.
    pub(crate) async fn restart_with(&self, change: impl FnOnce(&mut Program)) {
        self.supervised.change(change);
        self.stop().await;
        self.supervised.release();
        self.wait_until("runs", || async { self.supervised.pid().is_some() })
            .await;
        self.ready().await;
    }

    /// Ends it by SIGTERM and holds it; gone when this returns.
    pub(crate) async fn stop(&self) {
        self.supervised.hold();
        self.supervised.signal(Signal::Terminate);
        self.wait_until("has ended", || async { self.supervised.pid().is_none() })
            .await;
    }

    /// What it has logged after the first `offset` bytes; see [`Self::log_length`].
    pub(crate) fn log_since(&self, offset: u64) -> String {
        let text = std::fs::read(self.supervised.log()).unwrap_or_default();
        let from = usize::try_from(offset).unwrap().min(text.len());
        String::from_utf8_lossy(&text[from..]).into_owned()
    }

    /// The length of its log in bytes.
    pub(crate) fn log_length(&self) -> u64 {
        std::fs::metadata(self.supervised.log()).map_or(0, |log| log.len())
    }

    /// Undoes what a fault did to it.
    pub(super) fn restore(&self) {
        let changed = self.supervised.program() != self.original;
        let original = self.original.clone();
        self.supervised.change(|program| *program = original);
        if changed || self.is_standby {
            self.supervised.end();
        }
        if !self.is_standby {
            self.supervised.release();
        }
    }

    async fn wait_until<F: Future<Output = bool>>(
        &self,
        what: &str,
        condition: impl FnMut() -> F,
    ) -> Duration {
        wait_until(&format!("{} {what}", self.supervised.name()), condition).await
    }
}
