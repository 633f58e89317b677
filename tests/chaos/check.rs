//! What was promised and not kept, counted when everything is quiet: the journal, the log, the
//! topics, the rows and the documents, each read directly, against each other. Every counter is one
//! function of plain data, so that a stand-in can be judged by it as well.

pub(crate) mod evidence;
pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod models;
pub(crate) mod topics;

#[cfg(test)]
mod tests;

pub(crate) use evidence::Evidence;

use crate::journal::Line;

/// A counter of the table, and what it counted.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) id: &'static str,
    /// What each line of [`Self::found`] is.
    pub(crate) title: &'static str,
    /// Nothing, unless a promise was broken.
    pub(crate) found: Vec<String>,
}

/// Fails where so little happened that counters at zero would say nothing.
pub(crate) fn expect_life(evidence: &Evidence) {
    let lived = |happened: bool, what| assert!(happened, "{what}: the round proves nothing");
    let mut lines = evidence.lines.iter();
    lived(
        lines.any(|line| matches!(line, Line::Ok { .. })),
        "no command was accepted",
    );
    lived(
        lines.any(|line| matches!(line, Line::Read { .. })),
        "nobody read",
    );
    let mut events = evidence.log.iter();
    lived(
        events.any(|event| event.event_type == "auction.closed"),
        "no auction ended",
    );
    lived(
        evidence.records.values().any(|records| !records.is_empty()),
        "no topic has records",
    );
    let documents = evidence
        .models
        .iter()
        .filter_map(|model| model.documents.as_ref());
    lived(
        documents
            .map(std::collections::BTreeMap::len)
            .sum::<usize>()
            > 0,
        "there are no documents",
    );
}

/// All counters.
pub(crate) fn count(evidence: &Evidence) -> Vec<Counter> {
    let Evidence {
        lines,
        log,
        topics,
        records,
        ..
    } = evidence;
    let attempts = journal::Attempts::of(lines, log);
    let (lost, repeated) = topics::faults(log, records, *topics);
    let counter = |id, title, found| Counter { id, title, found };
    vec![
        counter("I1", "acked and not in the log", attempts.lost()),
        counter(
            "I2",
            "twice in the log, or otherwise than asked",
            attempts.duplicated(),
        ),
        counter(
            "I3",
            "neither once in the log nor cleanly absent",
            attempts.half_known(),
        ),
        counter(
            "I4",
            "gaps and repeats of positions and versions",
            log::gaps(log),
        ),
        counter(
            "I5",
            "order of the log against real time",
            attempts.reordered(),
        ),
        counter("I6", "missing from the topics, or differing", lost),
        counter("I7", "repeated in the topics", repeated),
        counter("I8", "applied twice or never", models::applied(evidence)),
        counter(
            "I9",
            "rows and documents unlike a replay",
            models::unlike(evidence),
        ),
        counter(
            "I10",
            "checkpoints unlike their data",
            models::checkpoints(evidence),
        ),
        counter(
            "I11",
            "reads older than what was seen",
            journal::stale_reads(lines),
        ),
        counter("I15", "auctions against their rules", log::unfair(log)),
        counter(
            "I16",
            "5xx outside of faults, or unexplained",
            journal::errors(lines),
        ),
    ]
}
