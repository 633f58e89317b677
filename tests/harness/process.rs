//! The real binaries, as processes of their own that can be killed. `./dev test` builds them first.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Settings;
use crate::client::Client;
use crate::wait::eventually;

/// A process. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    /// Where it listens.
    pub url: String,
    child: Child,
}

impl Process {
    /// A command API without the relay, ready.
    pub async fn command_api(settings: &Settings) -> Self {
        Self::ready("tidemark-command-api", &["--roles", "api"], settings).await
    }

    /// A relay without the command API, ready.
    pub async fn relay(settings: &Settings) -> Self {
        Self::ready("tidemark-command-api", &["--roles", "relay"], settings).await
    }

    /// A projector, ready.
    pub async fn projector(settings: &Settings) -> Self {
        let settings = settings.as_service("auction-timer");
        Self::ready("tidemark-projector", &["run"], &settings).await
    }

    /// What the operators' tool answers.
    pub async fn operators_tool(settings: &Settings, arguments: &[&str]) -> Output {
        let tool = command("tidemark-projector", arguments, settings).output();
        tool.await.unwrap()
    }

    async fn ready(binary: &str, arguments: &[&str], settings: &Settings) -> Self {
        let mut settings = settings.clone();
        // The line that says where it listens is an ordinary one.
        settings.set(
            "TIDEMARK_TELEMETRY__LOG",
            "error,tidemark_platform::server=info",
        );
        settings.set("TIDEMARK_TELEMETRY__LOG_FORMAT", "json");
        let process = Self::start(binary, arguments, &settings).await;
        process.is_ready().await;
        process
    }

    /// One that is configured as in production, ready at the address that its settings name. It logs
    /// what it would log there, to nobody.
    pub async fn in_production(
        binary: &str,
        arguments: &[&str],
        settings: &Settings,
        url: &str,
    ) -> Self {
        let child = command(binary, arguments, settings)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary}: {error}; run it through `./dev`"));
        let url = url.to_owned();
        let process = Self { url, child };
        process.is_ready().await;
        process
    }

    async fn is_ready(&self) {
        let client = Client::anonymous(&self.url, "");
        eventually("a process to be ready", || async {
            let request = client.command(reqwest::Method::GET, "/readyz");
            let ready = request.send().await.is_ok_and(|r| r.status().is_success());
            ready.then_some(())
        })
        .await;
    }

    /// Starts a binary, and waits for the line of its log that says where it listens.
    async fn start(binary: &str, arguments: &[&str], settings: &Settings) -> Self {
        let mut child = command(binary, arguments, settings)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary}: {error}; run `./dev test`"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("{binary} ended before it listened"));
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = line["address"].as_str() {
                break format!("http://{address}");
            }
        };
        // A full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { url, child }
    }

    /// Kills it at once (`kill -9`).
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }
}

fn command(binary: &str, arguments: &[&str], settings: &Settings) -> Command {
    let mut command = Command::new(path_of(binary));
    command
        .args(arguments)
        .env_clear()
        .envs(settings.vars())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The memory that a process has now, in KiB.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|kib| kib.trim().strip_suffix(" kB"));
    kib.unwrap().parse().unwrap()
}

/// Beside this binary, or beside the directory that test binaries are in.
fn path_of(binary: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(binary);
    path
}
