//! A Redis of its own, with the persistence that `./dev` uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Options;
use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

/// A server.
#[derive(Debug)]
pub(crate) struct Redis {
    /// It.
    pub(crate) process: Arc<Supervised>,
    /// Where it listens.
    pub(crate) port: u16,
    /// Its files.
    pub(crate) data: PathBuf,
}

impl Redis {
    /// Starts one. Ready soon, see [`Self::is_ready`].
    pub(crate) fn start(supervisor: &Supervisor, run_directory: &Path, options: &Options) -> Self {
        let home = options.home.as_deref().unwrap_or(run_directory);
        let home = home.join("redis");
        fs::create_dir_all(&home).unwrap();
        let port = ports::free();
        let mut command = vec!["redis-server".to_owned()];
        let fixed = [
            ("bind", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("dir", home.display().to_string()),
            ("appendonly", "yes".to_owned()),
            ("appendfsync", "everysec".to_owned()),
            ("save", String::new()),
            ("maxmemory-policy", "noeviction".to_owned()),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value));
        for (name, value) in fixed.iter().chain(&options.settings) {
            command.extend([format!("--{name}"), value.clone()]);
        }
        let program = Program {
            wrapper: options.wrapper.clone(),
            command,
            ..Program::default()
        };
        let process = supervisor.add("redis", run_directory, program, false);
        Self {
            process,
            port,
            data: home,
        }
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection, if it answers.
    pub(crate) async fn connect(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await?;
        Ok(connection)
    }

    /// Whether it answers.
    pub(crate) async fn is_ready(&self) -> bool {
        self.connect().await.is_ok()
    }
}
