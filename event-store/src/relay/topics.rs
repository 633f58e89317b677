//! The topics, as the relay needs them: made before the first record, watched as long as it leads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::error::Error;
use super::layout::Layout;
use super::progress::Progress;
use crate::kafka::{Consumer, Offload, Settings, consumer, create_topics, partition_counts};

/// How often brokers are asked whether a new topic is there.
const CREATION_POLL: Duration = Duration::from_millis(50);

/// What brokers say about topics.
#[derive(Clone)]
pub(super) struct Topics {
    client: Arc<Offload<Consumer>>,
    settings: Settings,
    names: Vec<String>,
}

impl Topics {
    /// The topics of a deployment.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            client: Arc::new(Offload::new(consumer(settings)?)),
            settings: settings.clone(),
            names: Layout::topics(settings),
        })
    }

    /// Makes the topics that are missing, and records their number of partitions.
    pub(super) async fn ensure(&self, progress: &Progress) -> Result<(), Error> {
        let recorded = progress.topics().await?;
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
            tracing::info!(topics = ?missing, "making topics");
            create_topics(&self.settings, &missing).await?;
            self.counts_of_all().await?
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

    /// Looks at the topics every `interval`, and ends when one is gone or has changed.
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

    async fn counts_of_all(&self) -> Result<BTreeMap<String, i32>, Error> {
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
        Err(Error::Partitions {
            topic: name.to_owned(),
            configured,
            recorded,
            found,
        })
    }

    async fn counts(&self) -> Result<BTreeMap<String, i32>, Error> {
        let (client, timeout) = (Arc::clone(&self.client), self.settings.request_timeout);
        blocking(move || Ok(partition_counts(&client, timeout)?)).await
    }
}

/// Runs what waits for brokers on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // Its task is lost only when the runtime ends, and then nobody looks at the answer.
    spawn_blocking(work).await.unwrap_or(Err(Error::ReadBack))
}
