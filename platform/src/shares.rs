//! Counts what each of many has of something that all share, so that none takes all of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much each share has. A share that has nothing has no entry. Clones count together.
#[derive(Debug)]
pub struct Shares<S>(Arc<Mutex<HashMap<S, usize>>>);

/// One of what a share has. Dropping it gives it back.
#[derive(Debug)]
pub struct Held<S: Eq + Hash> {
    share: S,
    shares: Shares<S>,
}

impl<S: Clone + Eq + Hash> Shares<S> {
    /// One more for this share, unless it has `max` already.
    #[must_use]
    pub fn take(&self, share: S, max: usize) -> Option<Held<S>> {
        let mut counts = self.lock();
        let count = counts.get(&share).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(share.clone(), count + 1);
        drop(counts);
        let shares = self.clone();
        Some(Held { share, shares })
    }
}

impl<S> Shares<S> {
    fn lock(&self) -> MutexGuard<'_, HashMap<S, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for Shares<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Default for Shares<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S: Eq + Hash> Drop for Held<S> {
    fn drop(&mut self) {
        let mut counts = self.shares.lock();
        if let Some(count) = counts.get_mut(&self.share) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_no_more_than_its_bound_until_it_gives_back() {
        let shares = Shares::default();
        let held = [shares.take("a", 2), shares.take("a", 2)];
        assert!(held.iter().all(Option::is_some));
        assert!(shares.take("a", 2).is_none());
        assert!(shares.take("b", 2).is_some());
        drop(held);
        assert!(shares.take("a", 2).is_some());
        assert!(shares.lock().is_empty());
    }
}
