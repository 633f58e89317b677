//! The connections between Tidemark's processes and the servers, each with a proxy while a fault is
//! at work on it.

use tidemark_tests::Proxy;

use crate::stack::{Process, Stack};
use crate::supervisor::Program;

/// The connections from one kind of process to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults) enum Link {
    CommandApiToPostgres,
    RelayToPostgres,
    RelayToKafka,
    ProjectorToPostgres,
    ProjectorToKafka,
    ProjectorToRedis,
    QueryApiToPostgres,
    QueryApiToRedis,
}

impl Link {
    /// Starts a proxy, and restarts the processes so that they connect through it. They are ready
    /// when this returns.
    pub(in crate::faults) async fn start_proxy(self, stack: &Stack) -> Proxy {
        let (variable, port) = self.server(stack);
        let proxy = match self {
            // The broker tells its clients where to connect, so its proxy has a fixed port.
            Self::RelayToKafka | Self::ProjectorToKafka => {
                let listen = format!("127.0.0.1:{}", stack.kafka.proxy_port);
                let upstream = format!("127.0.0.1:{}", stack.kafka.behind_proxy_port);
                Proxy::start(&listen, &upstream).await
            }
            Self::CommandApiToPostgres
            | Self::RelayToPostgres
            | Self::ProjectorToPostgres
            | Self::ProjectorToRedis
            | Self::QueryApiToPostgres
            | Self::QueryApiToRedis => {
                Proxy::start("127.0.0.1:0", &format!("127.0.0.1:{port}")).await
            }
        }
        .unwrap();
        for process in self.processes(stack) {
            let through_proxy = |program: &mut Program| {
                let proxy_port = format!(":{}", proxy.address().port());
                if let Some(url) = program.environment.get_mut(variable) {
                    *url = url.replace(&format!(":{port}"), &proxy_port);
                }
            };
            process.restart_with(through_proxy).await;
        }
        proxy
    }

    /// The setting that names the server, and the server's port.
    const fn server(self, stack: &Stack) -> (&'static str, u16) {
        match self {
            Self::CommandApiToPostgres => ("TIDEMARK_DATABASE__APPEND_URL", stack.postgres.port),
            Self::RelayToPostgres => ("TIDEMARK_DATABASE__RELAY_URL", stack.postgres.port),
            Self::ProjectorToPostgres => ("TIDEMARK_DATABASE__PROJECT_URL", stack.postgres.port),
            Self::QueryApiToPostgres => ("TIDEMARK_DATABASE__READ_URL", stack.postgres.port),
            Self::RelayToKafka | Self::ProjectorToKafka => {
                ("TIDEMARK_KAFKA__BROKERS", stack.kafka.port)
            }
            Self::ProjectorToRedis | Self::QueryApiToRedis => {
                ("TIDEMARK_REDIS__URL", stack.redis.port)
            }
        }
    }

    /// The running processes of the link.
    pub(in crate::faults) fn processes(self, stack: &Stack) -> impl Iterator<Item = &Process> {
        let all = match self {
            Self::CommandApiToPostgres => &stack.command_apis,
            Self::RelayToPostgres | Self::RelayToKafka => &stack.relays,
            Self::ProjectorToPostgres | Self::ProjectorToKafka | Self::ProjectorToRedis => {
                &stack.projectors
            }
            Self::QueryApiToPostgres | Self::QueryApiToRedis => &stack.query_apis,
        };
        all.iter().filter(|process| !process.supervised.is_held())
    }
}
