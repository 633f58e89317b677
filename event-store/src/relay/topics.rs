//! The topics of the relay: it creates them before the first record, and checks them while it leads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::blocking::on_blocking_thread;
use super::error::Error;
use super::partitions::Partitions;
use super::progress::Progress;
use crate::kafka::{BlockingDrop, Consumer, Settings, consumer, create_topics, partition_counts};

/// The pause between requests that find out whether a new topic exists.
const CREATION_POLL: Duration = Duration::from_millis(50);

/// Creates the topics and asks brokers about them.
#[derive(Clone)]
pub(super) struct Topics {
    client: Arc<BlockingDrop<Consumer>>,
    settings: Settings,
    names: Vec<String>,
}

impl Topics {
    /// The topics of a deployment.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            client: Arc::new(BlockingDrop::new(consumer(settings)?)),
            settings: settings.clone(),
            names: Partitions::topic_names(settings),
        })
    }

    /// Creates the topics that are missing, and records their number of partitions.
    pub(super) async fn ensure(&self, progress: &Progress) -> Result<(), Error> {
        let recorded = progress.partition_counts().await?;
        let counts = self.counts().await?;
        let missing: Vec<_> = self
            .names
            .iter()
            .filter(|name| !counts.contains_key(*name))
            .cloned()
            .collect();
        let counts = if missing.is_empty() {
            counts
        } else {
            tracing::info!(topics = ?missing, "creating topics");
            create_topics(&self.settings, &missing).await?;
            self.counts_when_created().await?
        };
        for name in &self.names {
            let configured = self.settings.partitions;
            let recorded = recorded.get(name).copied().unwrap_or(configured);
            self.check(name, recorded, &counts)?;
        }
        progress
            .add_topics(&self.names, self.settings.partitions)
            .await
    }

    /// Checks the topics every `interval`. Returns when one is gone or has another number of partitions.
    pub(super) async fn watch(&self, interval: Duration) -> Error {
        loop {
            sleep(interval).await;
            let counts = match self.counts().await {
                Ok(counts) => counts,
                Err(error) => return error,
            };
            for name in &self.names {
                if let Err(error) = self.check(name, self.settings.partitions, &counts) {
                    return error;
                }
            }
        }
    }

    /// The numbers of partitions once brokers know every topic.
    async fn counts_when_created(&self) -> Result<BTreeMap<String, i32>, Error> {
        let deadline = Instant::now() + self.settings.request_timeout;
        loop {
            let counts = self.counts().await?;
            match self.names.iter().find(|name| !counts.contains_key(*name)) {
                None => return Ok(counts),
                Some(name) if Instant::now() > deadline => {
                    return Err(Error::NoTopic(name.clone()));
                }
                Some(_) => sleep(CREATION_POLL).await,
            }
        }
    }

    /// Fails unless a topic has the number of partitions that is configured and recorded.
    fn check(
        &self,
        name: &str,
        recorded: i32,
        counts: &BTreeMap<String, i32>,
    ) -> Result<(), Error> {
        let configured = self.settings.partitions;
        let found = *counts
            .get(name)
            .ok_or_else(|| Error::NoTopic(name.to_owned()))?;
        if found == configured && recorded == configured {
            return Ok(());
        }
        Err(Error::PartitionCount {
            topic: name.to_owned(),
            configured,
            recorded,
            found,
        })
    }

    /// The number of partitions of each topic that brokers know.
    async fn counts(&self) -> Result<BTreeMap<String, i32>, Error> {
        let (client, timeout) = (Arc::clone(&self.client), self.settings.request_timeout);
        on_blocking_thread(move || Ok(partition_counts(&client, timeout)?)).await
    }
}
