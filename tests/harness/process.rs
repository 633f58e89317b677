//! The real binaries, as processes of their own that can be killed. `./dev test` builds them first.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::Settings;
use crate::client::Client;
use crate::wait::{DEADLINE, eventually};

/// A process of its own. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    /// The URL at which it listens.
    pub url: String,
    child: Child,
    /// What it has printed, if that is kept.
    printed: Option<File>,
}

impl Process {
    /// Starts a command API without the relay, and waits until it is ready.
    pub async fn command_api(settings: &Settings) -> Self {
        Self::ready("tidemark-command-api", &["--roles", "api"], settings).await
    }

    /// Starts a relay without the command API, and waits until it is ready.
    pub async fn relay(settings: &Settings) -> Self {
        Self::ready("tidemark-command-api", &["--roles", "relay"], settings).await
    }

    /// Starts a query API, and waits until it is ready.
    pub async fn query_api(settings: &Settings) -> Self {
        let settings = settings.as_service("query-api");
        Self::ready("tidemark-query-api", &[], &settings).await
    }

    /// Starts a projector, and waits until it is ready.
    pub async fn projector(settings: &Settings) -> Self {
        let settings = settings.as_service("projector");
        Self::ready("tidemark-projector", &["run"], &settings).await
    }

    /// Starts these parts of a projector, and waits until it is ready.
    pub async fn projector_as(roles: &str, settings: &Settings) -> Self {
        let settings = settings.as_service("projector");
        Self::ready("tidemark-projector", &["run", "--roles", roles], &settings).await
    }

    /// Runs the operators' tool to its end, and returns what it printed and its exit code.
    pub async fn operators_tool(settings: &Settings, arguments: &[&str]) -> Output {
        Self::run("tidemark-projector", settings, arguments).await
    }

    /// Runs the operators' tool to its end, with this on its standard input, and returns what it printed and its exit code.
    pub async fn operators_tool_given(
        settings: &Settings,
        arguments: &[&str],
        input: &[u8],
    ) -> Output {
        let mut tool = command("tidemark-projector", arguments, settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = tool.stdin.take().unwrap();
        stdin.write_all(input).await.unwrap();
        drop(stdin);
        tool.wait_with_output().await.unwrap()
    }

    /// Runs a program of the tests to its end, and returns what it printed and its exit code.
    pub async fn run(binary: &str, settings: &Settings, arguments: &[&str]) -> Output {
        command(binary, arguments, settings).output().await.unwrap()
    }

    /// Runs the operators' tool until it has printed so many lines, and returns these and what it has printed to standard
    /// error.
    pub async fn lines_of_operators_tool(
        settings: &Settings,
        arguments: &[&str],
        count: usize,
    ) -> (Vec<String>, String) {
        let mut tool = command("tidemark-projector", arguments, settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines();
        let mut printed = Vec::new();
        while printed.len() < count {
            let line = lines.next_line().await.unwrap();
            printed.push(line.unwrap());
        }
        tool.kill().await.unwrap();
        let mut errors = String::new();
        let mut stderr = tool.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).await.unwrap();
        (printed, errors)
    }

    async fn ready(binary: &str, arguments: &[&str], settings: &Settings) -> Self {
        let process = Self::listening(binary, arguments, settings).await;
        process.is_ready().await;
        process
    }

    /// Starts a binary, and waits until it listens.
    pub async fn listening(binary: &str, arguments: &[&str], settings: &Settings) -> Self {
        let mut settings = settings.clone();
        // The line that says where it listens has this level.
        settings.set(
            "TIDEMARK_TELEMETRY__LOG",
            "error,tidemark_platform::server=info",
        );
        settings.set("TIDEMARK_TELEMETRY__LOG_FORMAT", "json");
        Self::start(binary, arguments, &settings).await
    }

    /// Starts a binary with the settings of production, and waits until it is ready at the address that
    /// they name. It logs as much as in production, but to `/dev/null`.
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
        let process = Self {
            url,
            child,
            printed: None,
        };
        process.is_ready().await;
        process
    }

    /// Waits until it is ready.
    pub async fn is_ready(&self) {
        let client = Client::anonymous(&self.url, "");
        eventually("a process to be ready", || async {
            let request = client.command(reqwest::Method::GET, "/readyz");
            let ready = request.send().await.is_ok_and(|r| r.status().is_success());
            ready.then_some(())
        })
        .await;
    }

    /// Starts a binary, and waits for the log line that says where it listens.
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
        // The process would stop at a full pipe, so the rest of its log is read and dropped.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            url,
            child,
            printed: None,
        }
    }

    /// Starts a binary that logs as much as the settings say, keeps what it prints in a file without a name,
    /// and waits until it is ready.
    pub async fn printing(binary: &str, arguments: &[&str], settings: &Settings) -> Self {
        let file = tempfile::tempfile().unwrap();
        let child = command(binary, arguments, settings)
            .stdout(file.try_clone().unwrap())
            .stderr(file.try_clone().unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary}: {error}; run `./dev test`"));
        let mut process = Self {
            url: String::new(),
            child,
            printed: Some(file),
        };
        let address = || async {
            let lines = process.printed();
            let mut lines = lines
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            lines.find_map(|line: Value| Some(line["address"].as_str()?.to_owned()))
        };
        let address = eventually("a process to listen", address).await;
        process.url = format!("http://{address}");
        process.is_ready().await;
        process
    }

    /// What it has printed so far. Only [`Process::printing`] keeps that.
    #[must_use]
    pub fn printed(&self) -> String {
        let file = self.printed.as_ref().unwrap();
        let length = file.metadata().unwrap().len();
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Kills it at once (`kill -9`).
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end (SIGTERM), and waits until it has ended.
    pub async fn terminate(self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }

    /// Sends it the signal of this name, such as `STOP`.
    pub async fn signal(&self, name: &str) {
        signal(self.pid(), name).await;
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("the process does not end"))
            .unwrap()
    }

    /// The id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }
}

/// A binary with the limit of open files that service managers give, which it may raise.
fn command(binary: &str, arguments: &[&str], settings: &Settings) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", r#"ulimit -Sn 1024; exec "$0" "$@""#])
        .arg(path_of(binary))
        .args(arguments)
        .env_clear()
        .envs(settings.vars())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Sends a process the signal of this name, such as `STOP`.
pub async fn signal(pid: u32, name: &str) {
    let kill = Command::new("sh")
        .args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()])
        .status();
    assert!(kill.await.unwrap().success());
}

/// The resident memory of a process, in KiB.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory that a process has had, in KiB.
#[must_use]
pub fn peak_kib(pid: u32) -> u64 {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let found = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = found.and_then(|kib| kib.trim().strip_suffix(" kB"));
    kib.unwrap().parse().unwrap()
}

/// The CPU time that the threads of a process have taken, those that have ended left out.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanoseconds = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The path of a binary: it is beside this one, or beside the directory of test binaries.
pub(crate) fn path_of(binary: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(binary);
    path
}
