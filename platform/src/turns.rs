//! What waits for something that many want, of which each gets one in turn: whoever has much waiting delays the others
//! by no more than one of it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What waits, by whose it is. What one has waiting keeps its order.
#[derive(Debug)]
pub struct Turns<S, T> {
    waiting: HashMap<S, VecDeque<T>>,
    /// Those who have something waiting, in the order of their turns.
    turns: VecDeque<S>,
}

impl<S: Clone + Eq + Hash, T> Turns<S, T> {
    /// Adds one behind all that `share` has waiting.
    pub fn push(&mut self, share: S, item: T) {
        let items = self.waiting.entry(share.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(share);
        }
        items.push_back(item);
    }

    /// Adds one before all that `share` has waiting. Its turn is the next one if it had nothing.
    pub fn push_first(&mut self, share: S, item: T) {
        let items = self.waiting.entry(share.clone()).or_default();
        if items.is_empty() {
            self.turns.push_front(share);
        }
        items.push_front(item);
    }

    /// Takes the oldest of the one whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_if(|_| true)
    }

    /// Takes the oldest that `is_wanted` of the first one in turn who has one.
    pub fn pop_if(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        let wanted = |share| self.waiting.get(share)?.iter().position(&is_wanted);
        let mut turns = self.turns.iter().enumerate();
        let (turn, oldest) = turns.find_map(|(turn, share)| Some((turn, wanted(share)?)))?;
        let share = self.turns.remove(turn)?;
        let items = self.waiting.get_mut(&share)?;
        let item = items.remove(oldest);
        if items.is_empty() {
            self.waiting.remove(&share);
        } else {
            self.turns.push_back(share);
        }
        item
    }

    /// Takes the newest of the one who has the most waiting, if that is more than `share` has. Nobody's only one is taken:
    /// whom it were given to would be no worse off without it.
    pub fn pop_newest_of_most(&mut self, share: &S) -> Option<T> {
        let own = self.waiting.get(share).map_or(0, VecDeque::len);
        let most = self.waiting.values_mut().max_by_key(|items| items.len())?;
        (most.len() > own.max(1)).then(|| most.pop_back())?
    }

    /// Takes all out that `is_wanted`.
    pub fn take(&mut self, is_wanted: impl Fn(&T) -> bool) -> VecDeque<T> {
        let mut taken = VecDeque::new();
        for items in self.waiting.values_mut() {
            let (mut wanted, rest) = items.drain(..).partition(&is_wanted);
            *items = rest;
            taken.append(&mut wanted);
        }
        self.waiting.retain(|_, items| !items.is_empty());
        self.turns.retain(|share| self.waiting.contains_key(share));
        taken
    }
}

impl<S, T> Turns<S, T> {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

impl<S, T> Default for Turns<S, T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            turns: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The items of two shares, `a` with three and `b` with one.
    fn turns() -> Turns<char, &'static str> {
        let mut turns = Turns::default();
        for item in ["a1", "a2", "a3", "b1"] {
            turns.push(item.chars().next().unwrap(), item);
        }
        turns
    }

    fn drain(mut turns: Turns<char, &'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.pop()).collect()
    }

    #[test]
    fn shares_take_turns_and_keep_their_order() {
        assert_eq!(drain(turns()), ["a1", "b1", "a2", "a3"]);
        let mut first = turns();
        first.push_first('c', "c1");
        first.push_first('a', "a0");
        assert_eq!(drain(first), ["c1", "a0", "b1", "a1", "a2", "a3"]);
    }

    #[test]
    fn who_has_the_most_gives_way_to_who_has_less() {
        let mut turns = turns();
        assert_eq!(turns.pop_newest_of_most(&'a'), None);
        assert_eq!(turns.pop_newest_of_most(&'b'), Some("a3"));
        assert_eq!(turns.pop_newest_of_most(&'b'), Some("a2"));
        for share in ['b', 'c'] {
            assert_eq!(turns.pop_newest_of_most(&share), None);
        }
        assert_eq!(drain(turns), ["a1", "b1"]);
    }

    #[test]
    fn who_has_none_that_is_wanted_keeps_its_turn() {
        let mut turns = turns();
        turns.push('c', "c1");
        assert_eq!(turns.pop_if(|it| it.starts_with('b')), Some("b1"));
        assert_eq!(turns.pop_if(|it| it.ends_with('2')), Some("a2"));
        assert_eq!(turns.pop_if(|it| it.ends_with('9')), None);
        assert_eq!(drain(turns), ["c1", "a1", "a3"]);
    }

    #[test]
    fn what_is_taken_out_leaves_the_turns_of_the_rest() {
        let mut turns = turns();
        let taken = turns.take(|it| it.ends_with('1'));
        assert_eq!(BTreeSet::from_iter(taken), BTreeSet::from(["a1", "b1"]));
        assert_eq!(drain(turns), ["a2", "a3"]);
    }
}
