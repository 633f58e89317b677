//! The connections between our processes and the servers, with a proxy in each that is looked at.

use tidemark_tests::Proxy;

use crate::stack::{Process, Stack};

/// From one kind of process to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    ApiPostgres,
    RelayPostgres,
    RelayKafka,
    ProjectorPostgres,
    ProjectorKafka,
    ProjectorRedis,
    QueryPostgres,
    QueryRedis,
}

impl Link {
    /// Leads it through a proxy: the processes are started again, ready when this returns.
    pub(crate) async fn detour(self, stack: &Stack) -> Proxy {
        let (variable, port) = self.server(stack);
        let proxy = match self {
            // The broker tells its clients where it is.
            Self::RelayKafka | Self::ProjectorKafka => {
                let listen = format!("127.0.0.1:{}", stack.kafka.proxy_port);
                let upstream = format!("127.0.0.1:{}", stack.kafka.behind_proxy_port);
                Proxy::start(&listen, &upstream).await
            }
            Self::ApiPostgres
            | Self::RelayPostgres
            | Self::ProjectorPostgres
            | Self::ProjectorRedis
            | Self::QueryPostgres
            | Self::QueryRedis => Proxy::start("127.0.0.1:0", &format!("127.0.0.1:{port}")).await,
        }
        .unwrap();
        for process in self.processes(stack) {
            lead(process, variable, port, &proxy).await;
        }
        proxy
    }

    /// The setting that names the server, and its port.
    const fn server(self, stack: &Stack) -> (&'static str, u16) {
        match self {
            Self::ApiPostgres => ("TIDEMARK_DATABASE__APPEND_URL", stack.postgres.port),
            Self::RelayPostgres => ("TIDEMARK_DATABASE__RELAY_URL", stack.postgres.port),
            Self::ProjectorPostgres => ("TIDEMARK_DATABASE__PROJECT_URL", stack.postgres.port),
            Self::QueryPostgres => ("TIDEMARK_DATABASE__READ_URL", stack.postgres.port),
            Self::RelayKafka | Self::ProjectorKafka => {
                ("TIDEMARK_KAFKA__BROKERS", stack.kafka.port)
            }
            Self::ProjectorRedis | Self::QueryRedis => ("TIDEMARK_REDIS__URL", stack.redis.port),
        }
    }

    /// Those of its kind that run.
    pub(crate) fn processes(self, stack: &Stack) -> impl Iterator<Item = &Process> {
        let all = match self {
            Self::ApiPostgres => &stack.apis,
            Self::RelayPostgres | Self::RelayKafka => &stack.relays,
            Self::ProjectorPostgres | Self::ProjectorKafka | Self::ProjectorRedis => {
                &stack.projectors
            }
            Self::QueryPostgres | Self::QueryRedis => &stack.queries,
        };
        all.iter().filter(|process| !process.process.is_held())
    }
}

/// Starts a process again that finds a server behind a proxy.
pub(crate) async fn lead(process: &Process, variable: &str, port: u16, proxy: &Proxy) {
    let change = |program: &mut crate::supervisor::Program| {
        let there = format!(":{}", proxy.address().port());
        if let Some(url) = program.environment.get_mut(variable) {
            *url = url.replace(&format!(":{port}"), &there);
        }
    };
    process.restart_with(change).await;
}
