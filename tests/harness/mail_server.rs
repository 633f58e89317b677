//! A real mail server, whose answers depend on the recipient: see `mail_server.py`.

use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use uuid::Uuid;

use crate::repository;

/// A mail server, which ends when it is dropped.
#[derive(Debug)]
pub struct MailServer {
    /// The port of the loopback interface at which it listens.
    pub port: u16,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

/// A mail that the server was sent.
#[derive(Debug, Deserialize)]
pub struct ReceivedMail {
    /// The address that it comes from.
    pub from: String,
    /// The addresses that it is for.
    pub to: Vec<String>,
    /// Its headers and its text.
    pub content: String,
}

/// The command that starts a server at this port of the loopback interface; 0 chooses one.
#[must_use]
pub fn command(port: u16) -> [String; 3] {
    let script = repository().join("tests/harness/mail_server.py");
    [
        // The one that apt installs modules for, which need not be the first in the path.
        "/usr/bin/python3".to_owned(),
        script.display().to_string(),
        port.to_string(),
    ]
}

impl ReceivedMail {
    /// The id of the message, with which `Message-ID` begins.
    ///
    /// # Panics
    /// If it is no mail of Tidemark's.
    #[must_use]
    pub fn message_id(&self) -> Uuid {
        let mut lines = self.content.lines();
        let id = lines.find_map(|line| line.strip_prefix("Message-ID: <"));
        let (id, _) = id.unwrap().split_once('@').unwrap();
        id.parse().unwrap()
    }
}

impl MailServer {
    /// Starts a server.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        #[derive(Deserialize)]
        struct Started {
            port: u16,
        }

        let [program, arguments @ ..] = command(0);
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut output = output.lines();
        let line = output.next_line().await.unwrap();
        let Some(line) = line else {
            panic!("python3 needs aiosmtpd: apt-get install python3-aiosmtpd");
        };
        let Started { port } = serde_json::from_str(&line).unwrap();
        Self {
            port,
            output,
            _process: process,
        }
    }

    /// Waits for the next mail that the server is sent.
    ///
    /// # Panics
    /// If the server has ended.
    pub async fn received(&mut self) -> ReceivedMail {
        let line = self.output.next_line().await.unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }
}
