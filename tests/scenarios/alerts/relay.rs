//! Topics that are behind the log, hold what is not in it, or to which somebody else writes.

use rdkafka::message::{Message, OwnedMessage};
use tidemark_event_store::kafka_settings;
use tidemark_tests::{App, Client, Process};

use crate::log::kafka::foreign::{far_ahead, in_place_of};
use crate::log::kafka::topics::{Records, Topics};
use crate::log::timelines::fork;
use crate::projection::rebuilds::order;

/// The last event of each partition, changed.
fn forged(records: &Records, forge: impl Fn(&OwnedMessage) -> OwnedMessage) -> Records {
    let partitions = records.iter();
    let forged = partitions.map(|(at, messages)| {
        (
            *at,
            messages
                .iter()
                .rfind(|it| it.headers().is_some())
                .map(&forge),
        )
    });
    forged
        .map(|(at, message)| (at, message.into_iter().collect()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_behind_or_finds_foreign_records_is_measured() {
    let mut app = App::builder()
        .relay()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .set("TIDEMARK_RELAY__ALARM_RETRY_MS", 100)
        .start()
        .await;
    app.user().await;
    app.settle().await;
    app.stop_command_api().await;
    let api = app.spawn_command_api().await;
    app.settings.set("TIDEMARK_COMMAND_API__URL", &*api.url);
    app.client = Client::anonymous(&api.url, "");
    let projector = app.spawn_projector().await;
    let topics = Topics::of(&kafka_settings!(app.settings.config().kafka));

    let backlog = "tidemark_relay_backlog_seconds";
    projector.measures(backlog, "", |it| it == 0.0).await;
    app.user().await;
    projector.measures(backlog, "", |it| it > 0.0).await;
    let broken = "tidemark_feed_broken_total";
    projector.measures(broken, "", |it| it == 0.0).await;
    topics.publish_junk().await;
    projector.measures(broken, "", |it| it > 0.0).await;
    let relay = Process::relay(&app.settings).await;
    relay
        .measures("tidemark_relay_foreign_records_total", "", |it| it > 0.0)
        .await;
    projector.measures(backlog, "", |it| it == 0.0).await;

    let records = topics.records().await;
    let foreign = "tidemark_feed_foreign_total";
    projector.measures(foreign, "", |it| it == 0.0).await;
    topics.publish(forged(&records, far_ahead)).await;
    projector.measures(foreign, "", |it| it > 0.0).await;

    let alarm = "tidemark_relay_alarm";
    relay.measures(alarm, "", |it| it == 0.0).await;
    relay.terminate().await;
    topics.publish(forged(&records, in_place_of)).await;
    let roles = ["--roles", "relay"];
    let relay = Process::listening("tidemark-command-api", &roles, &app.settings).await;
    let other = Process::listening("tidemark-command-api", &roles, &app.settings).await;
    relay.measures(alarm, "", |it| it > 0.0).await;
    other.measures(alarm, "", |it| it > 0.0).await;
    // Under the new timeline consumers can tell what follows from what is not in the log.
    fork(&app, &[]).await;
    let adopted = order(&app, &["relay", "adopt"]).await;
    assert!(adopted.status.success(), "{adopted:?}");
    // One of them leads. The other stands by, and meets nothing that could tell it.
    relay.measures(alarm, "", |it| it == 0.0).await;
    other.measures(alarm, "", |it| it == 0.0).await;
}
