//! Our own processes: the real binaries, each at the same address after every start.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tidemark_tests::Settings;

use super::until;
use crate::ports;
use crate::servers::Machine;
use crate::supervisor::{Program, Signal, Supervised, Supervisor};

/// A process that is paused does not answer at all.
const ANSWER: Duration = Duration::from_secs(1);

static CLIENT: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().no_proxy().build().unwrap());

/// One of our own processes.
#[derive(Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "what is supervised is the process itself"
)]
pub(crate) struct Process {
    /// It.
    pub(crate) process: Arc<Supervised>,
    /// Where it listens, at each start.
    pub(crate) url: String,
    ordinary: Program,
    is_ordinarily_held: bool,
}

/// What a process does.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Api,
    Relay,
    Projector,
    Query,
}

/// What our processes are started with.
pub(super) struct Starter<'a> {
    pub(super) supervisor: &'a Supervisor,
    pub(super) machine: &'a Machine,
    pub(super) logs: &'a Path,
    pub(super) settings: Settings,
}

impl Starter<'_> {
    /// Starts so many of a kind; all but the first `running` ones are held.
    pub(super) fn start(&self, kind: Kind, running: usize, count: usize) -> Vec<Process> {
        let start = |number| self.start_one(kind, number, ports::free(), number > running);
        (1..=count).map(start).collect()
    }

    /// Starts one at this port.
    pub(super) fn start_one(&self, kind: Kind, number: usize, port: u16, held: bool) -> Process {
        let program = kind.program(self.machine, &self.settings, port);
        let name = format!("{}-{number}", kind.name());
        let supervised = self.supervisor.add(&name, self.logs, program.clone(), held);
        Process {
            process: supervised,
            url: url(port),
            ordinary: program,
            is_ordinarily_held: held,
        }
    }
}

/// Where something listens on this machine.
pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Relay => "relay",
            Self::Projector => "projector",
            Self::Query => "query",
        }
    }

    /// What runs it, listening at this port.
    fn program(self, machine: &Machine, settings: &Settings, port: u16) -> Program {
        let (binary, arguments, section, service): (_, &[&str], _, _) = match self {
            Self::Api => ("command-api", &["--roles", "api"], "COMMAND_API", None),
            Self::Relay => ("command-api", &["--roles", "relay"], "COMMAND_API", None),
            Self::Projector => ("projector", &["run"], "PROJECTOR", Some("auction-timer")),
            Self::Query => ("query-api", &[], "QUERY_API", Some("query-api")),
        };
        let mut settings = settings.clone();
        settings.set(
            &format!("TIDEMARK_{section}__LISTEN"),
            format!("127.0.0.1:{port}"),
        );
        if let Some(service) = service {
            settings = settings.as_service(service);
        }
        let binary = machine.binaries.join(format!("tidemark-{binary}"));
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
        until(self.process.name(), || self.is_ready()).await
    }

    /// Kills it at once, and waits until it was started again and is ready; returns how long that
    /// took.
    pub(crate) async fn kill(&self) -> Duration {
        let killed = Instant::now();
        let starts = self.process.starts();
        self.process.kill();
        until(self.process.name(), || async {
            self.process.starts() > starts
        })
        .await;
        self.ready().await;
        killed.elapsed()
    }

    /// Whether it says so.
    pub(crate) async fn is_ready(&self) -> bool {
        let request = CLIENT.get(format!("{}/readyz", self.url));
        let answer = request.timeout(ANSWER).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Ends it (by SIGTERM) and starts it as changed, ready when this returns. [`super::Stack::heal`] undoes
    /// that.
    pub(crate) async fn restart_with(&self, change: impl FnOnce(&mut Program)) {
        self.process.change(change);
        self.restart().await;
    }

    /// Ends it by SIGTERM and starts it again; ready when this returns.
    pub(crate) async fn restart(&self) -> Duration {
        let started = Instant::now();
        self.stop().await;
        self.process.release();
        until(self.process.name(), || async {
            self.process.pid().is_some()
        })
        .await;
        self.ready().await;
        started.elapsed()
    }

    /// Ends it by SIGTERM and holds it; gone when this returns.
    pub(crate) async fn stop(&self) {
        self.process.hold();
        self.process.signal(Signal::Terminate);
        until(self.process.name(), || async {
            self.process.pid().is_none()
        })
        .await;
    }

    /// What it logged, from a place on; see [`Self::logged`].
    pub(crate) fn log_since(&self, place: u64) -> String {
        let text = std::fs::read(self.process.log()).unwrap_or_default();
        let from = usize::try_from(place).unwrap().min(text.len());
        String::from_utf8_lossy(&text[from..]).into_owned()
    }

    /// How long its log is.
    pub(crate) fn logged(&self) -> u64 {
        std::fs::metadata(self.process.log()).map_or(0, |log| log.len())
    }

    /// Undoes what a fault did to it.
    pub(super) fn restore(&self) {
        let changed = self.process.program() != self.ordinary;
        let ordinary = self.ordinary.clone();
        self.process.change(|program| *program = ordinary);
        if changed || self.is_ordinarily_held {
            self.process.end();
        }
        if !self.is_ordinarily_held {
            self.process.release();
        }
    }
}
