//! Runs the relay in this process, which publishes the log to Kafka. What the relay does is the event
//! store's; here are only its settings.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tidemark_event_store::relay::{Relay, Settings, wake_leader};
use tidemark_event_store::{TimedPool, kafka_settings};
use tidemark_platform::config::{Config, required};
use tidemark_platform::database;
use tidemark_platform::ids::new_id;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::process_roles::ProcessRoles;
use crate::start_error::StartError;

/// The connections of the relay; none if this replica has no relay or no broker is configured.
///
/// # Errors
/// If the URL of the relay's database role is missing or wrong, or if no broker is configured and the replica does nothing
/// else.
pub(crate) fn pool(config: &Config, roles: ProcessRoles) -> Result<Option<TimedPool>, StartError> {
    if !roles.relay {
        return Ok(None);
    }
    if config.kafka.brokers.is_empty() && !roles.api {
        return Err(StartError::NothingToDo);
    }
    if config.kafka.brokers.is_empty() {
        tracing::warn!("kafka.brokers is empty: the log is not published");
        return Ok(None);
    }
    let url = required(&config.database.relay_url, "database.relay_url")?;
    let pool = database::pool(&config.database, url)?;
    Ok(Some(TimedPool::new(
        pool,
        config.database.response_timeout(),
    )))
}

/// A future that runs the relay until `stop`, on the connections of [`pool`]. It ends at once if there are none. Who
/// appends in this process notifies `appended`.
pub(crate) fn start(
    config: &Config,
    pool: Option<TimedPool>,
    appended: Arc<Notify>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let relay = pool.map(|pool| {
        let measuring = database::measure(vec![("relay", PgPool::clone(&pool))]);
        let relay = Relay::new(pool, settings(config), new_id(), appended);
        (relay, measuring)
    });
    async move {
        if let Some((relay, measuring)) = relay {
            tokio::select! {
                () = relay.run(stop) => {}
                () = measuring => {}
            }
        }
    }
}

/// Wakes the relay, which runs in another process, whenever `appended` is notified.
pub(crate) async fn wake_other(pool: TimedPool, appended: Arc<Notify>) {
    wake_leader(&pool, &appended, pending()).await;
}

fn settings(config: &Config) -> Settings {
    let relay = &config.relay;
    Settings {
        kafka: kafka_settings!(config.kafka),
        lease: Duration::from_millis(relay.lease_ms),
        takeover_wait: Duration::from_millis(relay.takeover_wait_ms),
        page_size: relay.page_size,
        page_bytes: relay.page_bytes_max,
        page_interval: Duration::from_millis(relay.page_interval_ms),
        idle_poll: Duration::from_millis(relay.idle_poll_ms),
        idle_poll_max: Duration::from_millis(relay.idle_poll_max_ms),
        in_flight_max_kbytes: relay.in_flight_max_kbytes,
        save_interval: Duration::from_millis(relay.save_interval_ms),
        topics_check: Duration::from_millis(relay.topics_check_ms),
        retry: Duration::from_millis(relay.retry_ms),
        alarm_retry: Duration::from_millis(relay.alarm_retry_ms),
    }
}
