//! What must hold after every round, whatever was done. When everything is quiet, the journal, the
//! log, the topics, the rows and the documents are read directly and compared. Each check is a
//! function of plain data, so that it can judge the stand-ins of the positive controls as well.

pub(crate) mod commands;
pub(crate) mod log;
pub(crate) mod messages;
pub(crate) mod observed;
pub(crate) mod pictures;
pub(crate) mod read_models;
pub(crate) mod tasks;
pub(crate) mod topics;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::journal::Entry;
use commands::SentCommands;

pub(crate) use observed::Observed;

/// An invariant, named for what breaks it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invariant {
    /// The name in reports.
    pub(crate) name: &'static str,
    /// What each violation is.
    pub(crate) violation: &'static str,
}

macro_rules! invariants {
    ($($constant:ident $name:literal $violation:literal)*) => {
        $(pub(crate) const $constant: Invariant = Invariant { name: $name, violation: $violation };)*

        /// All invariants, in the order of reports.
        pub(crate) const ALL: &[Invariant] = &[$($constant),*];
    };
}

invariants! {
    ACKNOWLEDGED_EVENT_LOST "acknowledged-event-lost"
        "a command was accepted, and its event is not in the log"
    EVENT_DUPLICATED_OR_ALTERED "event-duplicated-or-altered"
        "a command's event is in the log twice, or not as it was asked for"
    REFUSED_COMMAND_STORED "refused-command-stored"
        "a command was refused, and its event is in the log"
    GAP_IN_LOG "gap-in-log"
        "a position or version does not follow the one before, or time goes back"
    ORDER_AGAINST_REAL_TIME "order-against-real-time"
        "an event stands before one that was acknowledged before its command was sent"
    RECORD_LOST_OR_ALTERED "record-lost-or-altered"
        "an event is in no topic, or its record is not what was stored"
    RECORD_REPEATED "record-repeated"
        "a record comes again in its partition"
    EVENT_NOT_APPLIED_ONCE "event-not-applied-once"
        "a read model applied an event never or more than once"
    DIFFERS_FROM_REPLAY "differs-from-replay"
        "a row or document is not what a replay of the log makes of it"
    CHECKPOINT_WRONG "checkpoint-wrong"
        "something does not reach the end of the log, or claims to be beyond it"
    STALE_READ "stale-read"
        "a query's answer is older than the Tidemark that was sent with it"
    AUCTION_RULE_BROKEN "auction-rule-broken"
        "an auction's bids, winner or end are not as the rules want"
    MAIL_LOST_OR_REPEATED "mail-lost-or-repeated"
        "a mail was not sent, or more often than crashes explain"
    SLOT_LOST_OR_REPEATED "slot-lost-or-repeated"
        "a slot of a task was neither taken nor skipped, or more than once"
    CALL_LOST_OR_REPEATED "call-lost-or-repeated"
        "a run of a task was not called as itself, did not end, or its calls are not on record"
    PICTURE_LOST_OR_ALTERED "picture-lost-or-altered"
        "an upload was answered, and its picture is not in the log once, or the bytes of one in the log are others"
    UNEXPECTED_ERROR "unexpected-error"
        "a 5xx without a fault, or one that is not 503 with Retry-After"
}

/// An invariant, and all violations of it in a round. There are none if it held.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) invariant: &'static Invariant,
    /// One line for each, with the positions and ids that it concerns.
    pub(crate) violations: Vec<String>,
}

/// Fails if so little happened in a round that the invariants would hold trivially.
///
/// # Panics
/// Says what did not happen.
pub(crate) fn assert_enough_happened(observed: &Observed) {
    let assert_some = |happened: bool, what| assert!(happened, "the round proves nothing: {what}");
    let mut entries = observed.journal.iter();
    assert_some(
        entries.any(|entry| matches!(entry, Entry::Accepted { .. })),
        "no command was accepted",
    );
    assert_some(
        entries.any(|entry| matches!(entry, Entry::Read { .. })),
        "no query was answered",
    );
    let mut events = observed.log.iter();
    assert_some(
        events.any(|event| event.event_type == "auction.closed"),
        "no auction ended",
    );
    assert_some(!observed.mails.is_empty(), "no mail arrived");
    assert_some(!observed.calls.is_empty(), "no task called anybody");
    assert_some(!observed.pictures.is_empty(), "no picture was uploaded");
    let mut partitions = observed.records.values();
    assert_some(
        partitions.any(|records| !records.is_empty()),
        "no topic has records",
    );
    let documents = observed
        .read_models
        .iter()
        .filter_map(|model| model.documents.as_ref());
    assert_some(
        documents.map(BTreeMap::len).sum::<usize>() > 0,
        "Redis has no documents",
    );
}

/// Checks all invariants.
pub(crate) fn check(observed: &Observed) -> Vec<Checked> {
    let Observed {
        journal,
        log,
        repeats,
        records,
        mails,
        calls,
        pictures,
        ..
    } = observed;
    let commands = SentCommands::of(journal, log);
    let (lost, repeated) = topics::violations(log, records, *repeats);
    let all = [
        commands.lost(),
        commands.duplicated_or_altered(),
        commands.refused_and_stored(),
        log::gaps(log),
        commands.out_of_order(),
        lost,
        repeated,
        read_models::not_applied_once(observed),
        read_models::unlike_replay(observed),
        read_models::wrong_checkpoints(observed),
        commands::stale_reads(journal),
        log::broken_auction_rules(log),
        messages::lost_or_repeated(journal, log, mails),
        tasks::slots_lost_or_repeated(log),
        tasks::calls_lost_or_repeated(journal, log, calls),
        pictures::lost_or_altered(journal, log, pictures),
        commands::unexpected_errors(journal),
    ];
    let checked = |(invariant, violations)| Checked {
        invariant,
        violations,
    };
    ALL.iter().zip(all).map(checked).collect()
}
