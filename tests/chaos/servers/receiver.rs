//! A server that tasks call: this program again, as a process of its own. The path says how it answers, and it writes each
//! call down.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

/// The argument after which this program is told the address of the receiver that it is to be.
const ARGUMENT: &str = "--receiver";

/// How a receiver answers, as the paths of its URLs begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It accepts each call.
    Well,
    /// It fails the first call with each id, and accepts the next ones.
    AtSecond,
}

/// A server that tasks call.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) process: Arc<Supervised>,
    /// The address of the loopback interface that nothing else has, since each host is a destination of its own.
    pub(crate) host: String,
    /// The host and the port.
    address: SocketAddr,
    pub(crate) how: How,
    log: PathBuf,
}

/// A call as a receiver has got it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReceivedCall {
    pub(crate) at: DateTime<Utc>,
    /// The path, which is the name of the task.
    pub(crate) task: String,
    /// The `webhook-id`, which is the id of the run.
    pub(crate) run_id: Uuid,
}

impl How {
    /// What the names of the tasks begin with that call such a receiver.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::AtSecond => "at-second",
        }
    }
}

impl Receiver {
    /// Starts a server. It is ready some time later, see [`Self::is_ready`].
    pub(crate) fn start(supervisor: &Supervisor, run_directory: &Path, number: u8) -> Self {
        let address = SocketAddr::from(([127, 0, 1, number], ports::keep()));
        let program = std::env::current_exe().unwrap();
        let program = Program {
            command: vec![
                program.display().to_string(),
                ARGUMENT.to_owned(),
                address.to_string(),
            ],
            ..Program::default()
        };
        let name = format!("receiver-{number}");
        Self {
            process: supervisor.add(&name, run_directory, program, false),
            host: address.ip().to_string(),
            address,
            how: if number % 2 == 1 {
                How::Well
            } else {
                How::AtSecond
            },
            log: run_directory.join(format!("{name}.log")),
        }
    }

    /// The URL of a task with this name.
    pub(crate) fn url(&self, task: &str) -> String {
        format!("http://{}/{task}", self.address)
    }

    /// Whether the server takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }

    /// The calls that it has got, also before it was started again.
    pub(crate) fn received(&self) -> Vec<ReceivedCall> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        // It may just be writing the last line.
        let call = |line| serde_json::from_str(line).ok();
        log.lines().filter_map(call).collect()
    }
}

/// The address of the receiver that this process is to be; none if it is to be something else.
pub(crate) fn address() -> Option<SocketAddr> {
    let mut arguments = std::env::args().skip(1);
    let is_receiver = arguments.next()? == ARGUMENT;
    is_receiver.then(|| arguments.next().unwrap().parse().unwrap())
}

/// Takes calls at this address until the process is killed.
pub(crate) async fn serve(address: SocketAddr) {
    let called = Arc::<Mutex<BTreeSet<Uuid>>>::default();
    let router = Router::new()
        .route("/{task}", any(take_call))
        .with_state(called);
    let listener = TcpListener::bind(address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is late is so by the clock, and a receiver has only its own"
)]
async fn take_call(
    State(called): State<Arc<Mutex<BTreeSet<Uuid>>>>,
    UrlPath(task): UrlPath<String>,
    headers: HeaderMap,
) -> StatusCode {
    let run_id = headers.get("webhook-id").unwrap().to_str().unwrap();
    let call = ReceivedCall {
        at: Utc::now(),
        task,
        run_id: run_id.parse().unwrap(),
    };
    println!("{}", serde_json::to_string(&call).unwrap());
    let is_first = called.lock().unwrap().insert(call.run_id);
    if is_first && call.task.starts_with(How::AtSecond.name()) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    }
}
