//! Runs the relay in this process, which publishes the log to Kafka. What the relay does is the event
//! store's; here are only its settings.

use std::sync::Arc;
use std::time::Duration;

use tidemark_event_store::relay::{Relay, Settings};
use tidemark_event_store::{TimedPool, kafka_settings};
use tidemark_platform::config::{Config, required};
use tidemark_platform::database;
use tidemark_platform::ids::new_id;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::process_roles::ProcessRoles;
use crate::start_error::StartError;

/// A future that runs the relay until `stop`. It ends at once if this replica has no relay or no broker
/// is configured. Who appends in this process notifies `appended`.
///
/// # Errors
/// If the URL of the relay's database role is missing or wrong.
pub(crate) fn start(
    config: &Config,
    roles: ProcessRoles,
    appended: Arc<Notify>,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + use<>, StartError> {
    let has_broker = !config.kafka.brokers.is_empty();
    if roles.relay && !has_broker {
        tracing::warn!("kafka.brokers is empty: the log is not published");
    }
    let relay = if roles.relay && has_broker {
        let url = required(&config.database.relay_url, "database.relay_url")?;
        let pool = database::pool(&config.database, url)?;
        let measuring = database::measure(vec![("relay", pool.clone())]);
        let pool = TimedPool::new(pool, config.database.response_timeout());
        let relay = Relay::new(pool, settings(config), new_id(), appended);
        Some((relay, measuring))
    } else {
        None
    };
    Ok(async move {
        if let Some((relay, measuring)) = relay {
            tokio::select! {
                () = relay.run(stop) => {}
                () = measuring => {}
            }
        }
    })
}

fn settings(config: &Config) -> Settings {
    let relay = &config.relay;
    Settings {
        kafka: kafka_settings!(config.kafka),
        lease: Duration::from_millis(relay.lease_ms),
        takeover_wait: Duration::from_millis(relay.takeover_wait_ms),
        page_size: relay.page_size,
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
