//! Starts the process, and ends it gracefully.

use std::time::Duration;

use axum::Router;
use tidemark_event_store::Log;
use tidemark_platform::auth::Authenticator;
use tidemark_platform::clock::Clock;
use tidemark_platform::ops::Readiness;
use tidemark_platform::shutdown::{needed, run_until_drained};
use tidemark_platform::{Config, database, middleware, openapi, ops, server, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::live::{Readers, Sessions};
use crate::pools::Pools;
use crate::routes;
use crate::start_error::StartError;
use crate::watcher::Watcher;

/// Serves until `shutdown` is cancelled, then finishes the requests in flight, within `http.drain_ms`. The
/// process starts without Postgres and Redis, and is ready as soon as Postgres answers.
///
/// # Errors
/// [`StartError`] if the configuration cannot be used, the listener fails, or the watcher panics.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    telemetry::init(&config.telemetry)?;
    server::allow_open_files(&config);
    if config.http.connections_max <= config.query.sse_clients_max {
        tracing::warn!(
            "http.connections_max does not exceed query.sse_clients_max, so live updates can take all connections: over \
             HTTP/1.1 each takes one"
        );
    }
    let live_updates = config.query.sse_clients_per_address_max;
    if config.http.proxies == 0 && config.http.connections_per_address_max <= live_updates {
        tracing::warn!(
            "http.connections_per_address_max does not exceed query.sse_clients_per_address_max, so live updates of one address \
             can take all of its connections: over HTTP/1.1 each takes one"
        );
    }
    let pools = Pools::new(&config)?;
    let watcher = Watcher::new(&pools, &config.query);
    let log = Log::new(pools.prompt.clone());
    let measuring = database::measure(pools.named());
    let _measuring = AbortOnDropHandle::new(tokio::spawn(measuring));
    let followers = (watcher.auction_followers(), watcher.inbox_followers());
    let readers = Readers::new(&pools.documents, followers, &config.query);
    let pause = Duration::from_secs(config.query.sse_session_check_s);
    let sessions = Sessions::new(pools.prompt.clone(), pause);
    let clock = Clock::system();
    let parts = (&readers, sessions.clone());
    let app = App::new(&config, pools, &watcher, parts, clock.clone())?;
    let router = router(&config, app, log.clone(), clock.clone())?;
    let stop = shutdown.clone();
    let watching = tokio::spawn(async move {
        let sessions = sessions.run(stop.clone());
        tokio::join!(watcher.run(stop.clone()), readers.run(stop), sessions);
    });
    let watching = AbortOnDropHandle::new(watching);
    let following = clock.follow_for_ever(move || {
        let log = log.clone();
        async move { log.now().await }
    });
    let _following = AbortOnDropHandle::new(tokio::spawn(following));
    let served = async {
        let served = server::serve(listener, router, &config.http, shutdown.clone()).await;
        shutdown.cancel();
        served
    };
    let ended = needed("the watcher of checkpoints", watching, &shutdown);
    let process = async {
        let (served, ended) = tokio::join!(served, ended);
        served?;
        Ok(ended?)
    };
    run_until_drained(&config.http, &shutdown, process).await
}

fn router(config: &Config, app: App, log: Log, clock: Clock) -> Result<Router, StartError> {
    let readiness = Readiness::new().check("database", move || {
        let log = log.clone();
        async move { log.head().await.map(drop) }
    });
    let authenticator = Authenticator::from_config(config, clock)?;
    let queries = axum::Router::from(routes::router()).with_state(app);
    let queries = openapi::described(queries, routes::api(&config.query));
    Ok(middleware::apply(queries, &config.http, authenticator)
        .merge(ops::router(readiness, &config.http)))
}
