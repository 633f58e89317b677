//! The subscribers of this process that stand still, for its readiness.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::subscriber::SubscriberId;

/// Why subscribers stand still, by their names. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocked(Arc<Mutex<BTreeMap<String, String>>>);

impl Blocked {
    /// Notes why a subscriber stands still; `None` if it does not.
    pub(super) fn set(&self, id: SubscriberId, reason: Option<&str>) {
        let name = match (id.generation, id.shard) {
            (Some(generation), Some(shard)) => format!("{}/{generation}/{shard}", id.name),
            _ => id.name.to_owned(),
        };
        let mut blocked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => blocked.insert(name, reason.to_owned()),
            None => blocked.remove(&name),
        };
    }

    /// # Errors
    /// If a subscriber stands still: which, and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        let blocked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = blocked
            .iter()
            .map(|(name, reason)| format!("{name} stands still: {reason}"));
        let text = lines.collect::<Vec<_>>().join("; ");
        if text.is_empty() { Ok(()) } else { Err(text) }
    }
}
