//! Commands that wait until the state of a stream or the owner of a claim is loaded, and the loads that
//! are under way. Loads run beside the loop that decides, so that a slow one delays no other command.

mod loader;
mod page;

use std::collections::{HashMap, VecDeque};

use metrics::counter;
use tidemark_domain::Load;
use tidemark_platform::config::Executor as Settings;
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

pub(super) use self::loader::Loader;

use self::loader::{LoadResult, ToLoad};
use super::cache::Cache;
use super::queue::{QueuedCommand, answer_all};
use crate::error::Error;

/// What a finished load task returns, unless it panicked.
pub(super) type FinishedLoad = Result<Vec<LoadResult>, JoinError>;

/// The commands that wait for loads, and the loads.
pub(super) struct Loading {
    loader: Loader,
    /// What is being loaded or is wanted, with the commands that cannot be decided without it.
    waiting: HashMap<Load, Vec<QueuedCommand>>,
    /// What commands wait for and no task loads at the moment. Long streams come again for each page, behind
    /// all others.
    wanted: VecDeque<ToLoad>,
    tasks: JoinSet<Vec<LoadResult>>,
    tasks_max: usize,
    loads_per_task_max: usize,
}

impl Loading {
    /// No command waits yet.
    pub(super) fn new(loader: Loader, settings: &Settings) -> Self {
        Self {
            loader,
            waiting: HashMap::new(),
            wanted: VecDeque::new(),
            tasks: JoinSet::new(),
            tasks_max: settings.loads_max,
            loads_per_task_max: settings.batch_max,
        }
    }

    /// Has a command wait for the last of these loads. The others begin with it, and the command waits for them
    /// when it asks for them. Commands that wait for the same share a load.
    pub(super) fn wait_for(&mut self, loads: Vec<Load>, command: QueuedCommand) {
        let last = loads.last().cloned();
        for load in loads {
            if !self.waiting.contains_key(&load) {
                self.waiting.insert(load.clone(), Vec::new());
                self.wanted.push_back(load.into());
            }
        }
        counter!("tidemark_executor_waits_total").increment(1);
        if let Some(commands) = last.and_then(|load| self.waiting.get_mut(&load)) {
            commands.push(command);
        }
    }

    /// Starts to load what is wanted, many streams and claims at once, while the number of tasks allows.
    pub(super) fn start(&mut self) {
        while !self.wanted.is_empty() && self.tasks.len() < self.tasks_max {
            let loads = self.next_loads();
            let loader = self.loader.clone();
            self.tasks.spawn(async move { loader.load(loads).await });
        }
    }

    /// Takes what the next task loads.
    fn next_loads(&mut self) -> Vec<ToLoad> {
        let wanted = self.wanted.iter().take(self.loads_per_task_max);
        let together = wanted.take_while(|wanted| !wanted.is_alone).count();
        self.wanted.drain(..together.max(1)).collect()
    }

    /// Forgets what is being loaded, and loads anew whatever commands wait for.
    pub(super) fn begin_anew(&mut self) {
        self.tasks = JoinSet::new();
        self.wanted = self.waiting.keys().cloned().map(ToLoad::from).collect();
    }

    /// Waits for the next load to finish. Returns none if none is under way. Loses nothing if the call is
    /// dropped.
    pub(super) async fn next_finished(&mut self) -> Option<FinishedLoad> {
        self.tasks.join_next().await
    }

    /// Puts what was loaded into the cache and returns the commands that waited for it. Those whose load
    /// failed are answered with the error.
    pub(super) fn finish(
        &mut self,
        finished: FinishedLoad,
        cache: &mut Cache,
    ) -> Vec<QueuedCommand> {
        let results = match finished {
            Ok(results) => results,
            Err(error) => {
                // It is not known which commands waited for the task that panicked.
                let commands = self.waiting.drain().flat_map(|(_, commands)| commands);
                answer_all(commands, &Error::internal(error));
                return Vec::new();
            }
        };
        let mut loaded_commands = Vec::new();
        for result in results {
            let (load, inserted) = match result {
                LoadResult::Unfinished(stream) => {
                    self.wanted.push_back(stream);
                    continue;
                }
                LoadResult::Stream(id, loaded) => {
                    let inserted = loaded.map(|loaded| cache.insert_stream(id, loaded));
                    (Load::Stream(id), inserted)
                }
                LoadResult::Claim(claim, owner) => {
                    let inserted =
                        owner.map(|owner| cache.insert_unknown_claim(claim.clone(), owner));
                    (Load::Claim(claim), inserted)
                }
            };
            let commands = self.waiting.remove(&load).unwrap_or_default();
            match inserted {
                Ok(()) => loaded_commands.extend(commands),
                Err(error) => answer_all(commands, &error),
            }
        }
        loaded_commands
    }

    /// Stores snapshots of these streams, which have become long, in a task of its own.
    pub(super) fn save_snapshots(&self, streams: Vec<Uuid>) {
        if !streams.is_empty() {
            let loader = self.loader.clone();
            tokio::spawn(async move { loader.save_snapshots(&streams).await });
        }
    }
}

#[cfg(test)]
mod tests;
