//! The topics of a test. They are deleted when it ends; those of a killed run are deleted by the next.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tidemark_events::Aggregate;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::Settings;
use crate::database::is_orphan;

const TIMEOUT: Duration = Duration::from_secs(10);

static TIDIED: OnceCell<()> = OnceCell::const_new();

/// The topics of one test, which the relay creates.
#[derive(Debug)]
pub(crate) struct Topics {
    client: ClientConfig,
    names: Vec<String>,
}

impl Topics {
    /// The topics that these settings name; none if they name no broker.
    pub(crate) async fn of(settings: &Settings) -> Option<Self> {
        let kafka = settings.config().kafka;
        if kafka.brokers.is_empty() {
            return None;
        }
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &kafka.brokers);
        let tidy = || async {
            let client = client.clone();
            spawn_blocking(move || delete_orphans(&client))
                .await
                .unwrap();
        };
        TIDIED.get_or_init(tidy).await;
        let name = |aggregate: &Aggregate| aggregate.topic(&kafka.topic_prefix);
        Some(Self {
            names: Aggregate::ALL.iter().map(name).collect(),
            client,
        })
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let (client, names) = (self.client.clone(), std::mem::take(&mut self.names));
        // The thread of a test may belong to a runtime, in which nothing may block.
        if thread::spawn(move || delete(&client, &names))
            .join()
            .is_err()
        {
            eprintln!("the topics of a test were not deleted");
        }
    }
}

fn delete_orphans(client: &ClientConfig) {
    let consumer: BaseConsumer = client.create().unwrap();
    let found = consumer.fetch_metadata(None, TIMEOUT).unwrap();
    let names = found.topics().iter().map(|topic| topic.name().to_owned());
    let orphans: Vec<_> = names.filter(|name| is_orphan(name)).collect();
    delete(client, &orphans);
}

/// Deletes the topics that exist and ignores those that the relay never created.
fn delete(client: &ClientConfig, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    block_on(admin.delete_topics(&names, &options)).unwrap();
}
