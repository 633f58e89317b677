//! A Redis server of one test, which may harm it.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::wait::eventually;

/// A Redis server that keeps everything in memory. It is killed when it is dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    /// Holds its socket.
    directory: TempDir,
}

impl RedisServer {
    /// Starts a server, and waits until it answers.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--unixsocket",
                "socket",
                "--dir",
                ".",
            ])
            .current_dir(&directory)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let server = Self { child, directory };
        eventually("Redis to answer", || async {
            server.try_connect().await.ok()
        })
        .await;
        server
    }

    /// The URL that clients connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("unix://{}/socket", self.directory.path().display())
    }

    /// Opens a connection.
    pub async fn connect(&self) -> redis::aio::MultiplexedConnection {
        self.try_connect().await.unwrap()
    }

    async fn try_connect(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        client.get_multiplexed_async_connection().await
    }

    /// Refuses to store anything more, or stores again.
    pub async fn refuse_writes(&self, is_full: bool) {
        let memory_max = if is_full { "1" } else { "0" };
        redis::cmd("CONFIG")
            .arg(&[
                "SET",
                "maxmemory-policy",
                "noeviction",
                "maxmemory",
                memory_max,
            ])
            .exec_async(&mut self.connect().await)
            .await
            .unwrap();
    }

    /// How often documents were asked for.
    pub async fn reads(&self) -> u64 {
        let statistics: String = redis::cmd("INFO")
            .arg("commandstats")
            .query_async(&mut self.connect().await)
            .await
            .unwrap();
        let calls = statistics.split_once("cmdstat_hmget:calls=");
        let calls = calls.and_then(|(_, rest)| rest.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
    }

    /// Stops it as a machine that hangs: connections stay open, and nothing is answered.
    pub async fn suspend(&self) {
        self.signal("STOP").await;
    }

    /// Lets it go on.
    pub async fn resume(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let kill = Command::new("sh")
            .args(["-c", r#"kill -s "$0" "$1""#, signal, &pid])
            .status();
        assert!(kill.await.unwrap().success());
    }
}
