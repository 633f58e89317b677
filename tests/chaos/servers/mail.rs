//! A mail server, which takes every mail and writes each down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemark_tests::mail_server;
use tidemark_tests::mail_server::ReceivedMail;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

/// A mail server.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) process: Arc<Supervised>,
    /// The port on 127.0.0.1 that it listens at.
    pub(crate) port: u16,
    log: PathBuf,
}

impl Mail {
    /// Starts a server. It is ready some time later, see [`Self::is_ready`].
    pub(crate) fn start(supervisor: &Supervisor, run_directory: &Path) -> Self {
        let port = ports::keep();
        let program = Program {
            command: mail_server::command(port).to_vec(),
            ..Program::default()
        };
        Self {
            process: supervisor.add("mail", run_directory, program, false),
            port,
            log: run_directory.join("mail.log"),
        }
    }

    /// Whether the server takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
    }

    /// How often it was sent each mail, by the id that `Message-ID` begins with.
    pub(crate) fn received(&self) -> BTreeMap<Uuid, usize> {
        let log = fs::read_to_string(&self.log).unwrap();
        let mut received = BTreeMap::new();
        // The other lines tell the port, or what went wrong.
        for line in log.lines() {
            if let Ok(mail) = serde_json::from_str::<ReceivedMail>(line) {
                *received.entry(mail.message_id()).or_default() += 1;
            }
        }
        received
    }
}
