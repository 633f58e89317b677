//! A Redis server with the persistence that `./dev` uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ServerOptions;
use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

/// A Redis server.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) process: Arc<Supervised>,
    /// The port on 127.0.0.1 that it listens at.
    pub(crate) port: u16,
    /// The directory of its files.
    pub(crate) data: PathBuf,
}

impl Redis {
    /// Starts a server. It is ready some time later, see [`Self::is_ready`].
    pub(crate) fn start(
        supervisor: &Supervisor,
        run_directory: &Path,
        options: &ServerOptions,
    ) -> Self {
        let data = options.data_home.as_deref().unwrap_or(run_directory);
        let data = data.join("redis");
        fs::create_dir_all(&data).unwrap();
        let port = ports::keep();
        let mut command = vec!["redis-server".to_owned()];
        let settings = [
            ("bind", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("dir", data.display().to_string()),
            ("appendonly", "yes".to_owned()),
            ("appendfsync", "everysec".to_owned()),
            ("save", String::new()),
            ("maxmemory-policy", "noeviction".to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        for (name, value) in settings.iter().chain(&options.settings) {
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
            data,
        }
    }

    /// The URL that clients connect to.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Opens a connection, over which the server has answered a PING.
    pub(crate) async fn connect(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await?;
        Ok(connection)
    }

    /// Limits the memory for data to so many bytes; 0 is no limit. Writes beyond it are refused.
    pub(crate) async fn limit_memory(&self, bytes: &str) {
        let mut connection = self.connect().await.unwrap();
        let mut limit = redis::cmd("CONFIG");
        limit.arg(&["SET", "maxmemory", bytes]);
        limit.exec_async(&mut connection).await.unwrap();
    }

    /// Whether the server answers.
    pub(crate) async fn is_ready(&self) -> bool {
        self.connect().await.is_ok()
    }
}
