//! The lists of this crate: the state of each aggregate, and the process managers. No state and no rule is
//! here.

use tidemark_events::{Aggregate, Event, Timestamp};

use crate::decision::{AggregateState, AnyState, LoadedStream, StateOf, StateSnapshot};
use crate::market;
use crate::media;
use crate::messaging;
use crate::process_manager::ProcessManager;
use crate::tasks;

/// All process managers.
pub const PROCESS_MANAGERS: &[ProcessManager] = &[
    market::processes::auction_timer::PROCESS_MANAGER,
    media::processes::media_keeper::PROCESS_MANAGER,
    messaging::processes::auction_notifier::PROCESS_MANAGER,
    messaging::processes::mailer::PROCESS_MANAGER,
    messaging::processes::notifier::PROCESS_MANAGER,
    messaging::processes::task_notifier::PROCESS_MANAGER,
    messaging::processes::texter::PROCESS_MANAGER,
    tasks::processes::task_caller::PROCESS_MANAGER,
    tasks::processes::task_clock::PROCESS_MANAGER,
];

impl LoadedStream {
    /// Applies the next event of the stream. The first one tells which aggregate the stream is.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        let empty = || (registered(event.aggregate()).empty)();
        self.state.get_or_insert_with(empty).evolve(event);
        self.version += 1;
        self.last_at = Some(at);
    }

    /// The stream as a snapshot has it, which was made after the event number `version`, recorded at
    /// `last_at`. `None` if this build cannot use the snapshot: load all events then.
    #[must_use]
    pub fn from_snapshot(
        aggregate: Aggregate,
        snapshot: &StateSnapshot,
        version: i64,
        last_at: Timestamp,
    ) -> Option<Self> {
        Some(Self {
            version,
            last_at: Some(last_at),
            state: Some((registered(aggregate).restore)(snapshot)?),
        })
    }
}

/// How to make the state of an aggregate.
struct Registered {
    /// Makes the state of a stream before its first event.
    empty: fn() -> Box<dyn AnyState>,
    /// Reads the state from a snapshot; `None` if this build cannot.
    restore: fn(&StateSnapshot) -> Option<Box<dyn AnyState>>,
}

const fn registered(aggregate: Aggregate) -> Registered {
    match aggregate {
        Aggregate::User => state::<crate::identity::user::User>(),
        Aggregate::Credential => state::<crate::identity::credential::Credential>(),
        Aggregate::Session => state::<crate::identity::session::Session>(),
        Aggregate::Category => state::<crate::market::category::Category>(),
        Aggregate::Product => state::<crate::market::product::Product>(),
        Aggregate::Auction => state::<crate::market::auction::Auction>(),
        Aggregate::Reserve => state::<crate::market::reserve::Reserve>(),
        Aggregate::WatchList => state::<crate::market::watch_list::WatchList>(),
        Aggregate::Media => state::<media::media::Media>(),
        Aggregate::MediaAccount => state::<media::media_account::MediaAccount>(),
        Aggregate::Message => state::<crate::messaging::message::Message>(),
        Aggregate::ContactPoint => state::<crate::messaging::contact_point::ContactPoint>(),
        Aggregate::Notification => state::<crate::messaging::notification::Notification>(),
        Aggregate::Preferences => state::<crate::messaging::preferences::Preferences>(),
        Aggregate::Template => state::<crate::messaging::template::Template>(),
        Aggregate::TextBudget => state::<crate::messaging::text_budget::TextBudget>(),
        Aggregate::Task => state::<crate::tasks::task::Task>(),
        Aggregate::TaskRun => state::<crate::tasks::task_run::TaskRun>(),
        Aggregate::Reading => state::<crate::audit::reading::Reading>(),
        Aggregate::Repair => state::<crate::operations::repair::Repair>(),
        Aggregate::Retry => state::<crate::operations::retry::Retry>(),
        Aggregate::Rebuild => state::<crate::operations::rebuild::Rebuild>(),
        Aggregate::Fork => state::<crate::operations::fork::Fork>(),
        Aggregate::Publication => state::<crate::operations::publication::Publication>(),
    }
}

const fn state<A: AggregateState>() -> Registered {
    Registered {
        empty: || Box::new(StateOf(A::default())),
        restore: StateSnapshot::restore::<A>,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tidemark_events::samples;

    use super::*;

    #[test]
    fn process_managers_react_to_the_events_that_they_declare_and_to_no_others() {
        for process_manager in PROCESS_MANAGERS {
            let reacts = |event: &Event| !(process_manager.react)(event).is_empty();
            // To some of the events of a type it may not react, such as to requests for mails if it has texts sent.
            let answered: BTreeSet<_> = { samples::all().into_iter() }
                .filter(reacts)
                .map(|event| event.encode().unwrap().event_type)
                .collect();
            let declared = process_manager.event_types.iter();
            let declared: BTreeSet<_> = declared.map(ToString::to_string).collect();
            assert_eq!(answered, declared, "{}", process_manager.name);
        }
    }

    /// The key of an action is the name of its process manager, a position of up to 19 digits, and its own name.
    #[test]
    fn the_idempotency_key_of_every_action_is_one() {
        for process_manager in PROCESS_MANAGERS {
            let actions = samples::all().into_iter();
            for action in actions.flat_map(|event| (process_manager.react)(&event)) {
                let name = format!("{}--{}", process_manager.name, action.name);
                let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
                assert!(
                    name.len() + 19 <= 64 && name.bytes().all(is_allowed),
                    "{name}"
                );
            }
        }
    }
}
