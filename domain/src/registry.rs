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
    messaging::processes::digest_timer::PROCESS_MANAGER,
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
        Aggregate::Digest => state::<crate::messaging::digest::Digest>(),
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
    use crate::market::auction;
    use crate::media::media::{DeleteUnshown, ExpireUpload, RecordRemoval};
    use crate::messaging::digest::Close as CloseDigest;
    use crate::messaging::message;
    use crate::messaging::notification::{Raise, TellOfPause};
    use crate::tasks::task::TakeSlot;
    use crate::tasks::task_run::RecordAttempt;
    use crate::{Command, Refusal};

    /// What a command may be refused for that a reactor sends.
    fn refusals_of(command: &str) -> Vec<Refusal> {
        match command {
            "open_auction" => auction::Open::refusals(),
            "close_auction" => auction::Close::refusals(),
            "expire_upload" => ExpireUpload::refusals(),
            "delete_unshown_media" => DeleteUnshown::refusals(),
            "record_media_removal" => RecordRemoval::refusals(),
            "raise_notification" => Raise::refusals(),
            "tell_of_paused_task" => TellOfPause::refusals(),
            "request_message" => message::Request::refusals(),
            "close_digest" => CloseDigest::refusals(),
            "end_message" => message::End::refusals(),
            "record_task_attempt" => RecordAttempt::refusals(),
            "take_task_slot" => TakeSlot::refusals(),
            other => panic!("what {other} is refused for is not listed here"),
        }
    }

    /// The codes after which a reactor sends its command again. Its event proves that what the command is about exists, so who answers that
    /// it does not has another log; and what is not due is due later. What another reactor's commands are refused for never happens.
    const TRIED_AGAIN: [(&str, &[&str]); 10] = [
        ("auction-timer", &["auction_not_found", "not_due"]),
        ("media-keeper", &["media_not_found", "not_due"]),
        (
            "auction-notifier",
            &[
                "not_due",
                "product_not_found",
                "task_not_found",
                "task_retired",
                "user_not_found",
            ],
        ),
        (
            "digest-timer",
            &["digest_not_found", "not_due", "user_not_found"],
        ),
        ("mailer", &["message_not_found"]),
        ("notifier", &["user_not_found"]),
        (
            "task-notifier",
            &[
                "not_due",
                "product_not_found",
                "task_not_found",
                "user_not_found",
            ],
        ),
        ("texter", &["message_not_found"]),
        (
            "task-caller",
            &["task_not_found", "task_retired", "task_run_not_found"],
        ),
        // Only a newer build knows the zone.
        (
            "task-clock",
            &["not_due", "task_not_found", "unknown_time_zone"],
        ),
    ];

    #[test]
    fn each_refusal_of_a_reactors_command_ends_the_action_or_is_known_to_pass() {
        for process_manager in PROCESS_MANAGERS {
            let name = process_manager.name;
            let (_, tried_again) = TRIED_AGAIN.iter().find(|it| it.0 == name).unwrap();
            let listed = [
                process_manager.fulfilled,
                process_manager.final_refusals,
                tried_again,
            ];
            let mut listed = listed.concat();
            listed.sort_unstable();
            // Who has no credential of a service may have it later.
            let of_credentials = ["unauthenticated", "service_required"];
            let refused = process_manager.commands.iter();
            let refused: BTreeSet<_> = { refused.flat_map(|it| refusals_of(it)) }
                .map(|refusal| refusal.code.name)
                .filter(|code| !of_credentials.contains(code))
                .collect();
            let refused: Vec<_> = refused.into_iter().collect();
            assert_eq!(listed, refused, "{name}");
        }
    }

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
