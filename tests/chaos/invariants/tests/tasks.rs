//! Slots and runs of tasks.

use chrono::{DateTime, Utc};
use tidemark_events::samples;
use tidemark_events::samples::{SELLER, TASK, TASK_RUN, stored};
use tidemark_events::tasks::task::{NextSlot, PauseReason, Plan, SkipReason, Trigger};
use tidemark_events::tasks::task_run::Outcome;
use tidemark_events::tasks::{task, task_run};
use tidemark_events::{Event, Moment, Recorded};

use super::{id, recorded};
use crate::invariants::tasks::{calls_lost_or_repeated, slots_lost_or_repeated};
use crate::journal::Entry;
use crate::servers::receiver::ReceivedCall;

/// The name of the task, and the path of its URL.
const NAME: &str = "well-1";

fn second(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn slot(at: i64) -> NextSlot {
    let moment = Moment::nearest(second(at));
    NextSlot {
        slot: moment.into(),
        due_at: moment.into(),
        tzdb: stored("2026f"),
    }
}

/// A task that runs every two seconds, from second 1,002 on.
fn defined() -> Event {
    let defined = |event: &Event| matches!(event, Event::Task(task::Event::Defined { .. }));
    let mut event = samples::all().into_iter().find(defined).unwrap();
    if let Event::Task(task::Event::Defined {
        name, plan, next, ..
    }) = &mut event
    {
        let cron = stored("*/2 * * * * *");
        let other: Plan = *plan.take().unwrap();
        *plan = Some(Box::new(Plan { cron, ..other }));
        *name = stored(NAME);
        *next = Some(slot(1_002));
    }
    event
}

fn taken(at: i64) -> Event {
    let taken = task::Event::SlotTaken {
        task_id: TASK,
        owner_id: SELLER,
        run_id: TASK_RUN,
        slot: slot(at).slot,
        trigger: Trigger::Schedule,
        place: 0,
        next: None,
    };
    taken.into()
}

fn skipped(from: i64, to: i64, count: u32) -> Event {
    let skipped = task::Event::SlotsSkipped {
        task_id: TASK,
        owner_id: SELLER,
        from: slot(from).slot,
        to: slot(to).slot,
        count,
        reason: SkipReason::Missed,
        next: None,
    };
    skipped.into()
}

fn paused() -> Event {
    let paused = task::Event::Paused {
        task_id: TASK,
        owner_id: SELLER,
        reason: PauseReason::Owner,
    };
    paused.into()
}

/// A log of these events, the last of which was recorded at this second.
fn log(events: impl IntoIterator<Item = Event>, end: i64) -> Vec<Recorded> {
    let events = (1..).zip(events);
    let mut log: Vec<_> = events
        .map(|(position, event)| {
            let is_of_run = matches!(event, Event::TaskRun(_));
            let stream = if is_of_run { TASK_RUN.0 } else { TASK.0 };
            let mut recorded = recorded(position, position, id(1), &event);
            recorded.stream_id = stream;
            recorded
        })
        .collect();
    log.last_mut().unwrap().recorded_at = second(end);
    log
}

#[test]
fn slots_that_are_lost_or_repeated_are_found() {
    let violations = |facts: &[Event], end| {
        let events = [&[defined()], facts, &[paused()]].concat();
        slots_lost_or_repeated(&log(events, end)).len()
    };
    let facts = [taken(1_002), skipped(1_004, 1_006, 2), taken(1_008)];
    assert_eq!(violations(&facts, 1_011), 0);
    assert_eq!(violations(&facts, 1_060), 1, "nobody took the later ones");
    let again = [taken(1_002), taken(1_002)];
    assert_eq!(violations(&again, 1_003), 1);
    let gap = [taken(1_002), taken(1_006)];
    assert_eq!(violations(&gap, 1_007), 1);
    let miscounted = [skipped(1_002, 1_006, 2)];
    assert_eq!(violations(&miscounted, 1_007), 1);
    let never_paused = log([defined(), taken(1_002)], 1_003);
    assert_eq!(slots_lost_or_repeated(&never_paused).len(), 1);
}

#[test]
fn calls_that_are_lost_repeated_or_of_another_run_are_found() {
    let of_run = |event_type: &str| -> Event {
        let (task_run_id, task_id, owner_id) = (TASK_RUN, TASK, SELLER);
        let event = match event_type {
            "requested" => task_run::Event::Requested {
                task_run_id,
                task_id,
                owner_id,
                slot: slot(1_002).slot,
                trigger: Trigger::Schedule,
                place: 0,
                host: stored("hooks.example"),
                port: None,
            },
            "attempted" => task_run::Event::Attempted {
                task_run_id,
                task_id,
                owner_id,
                attempt: 1,
                outcome: Outcome::Delivered,
                status: Some(200),
                ms: 1,
                answer: None,
                next_at: None,
                pause_ms: None,
                next_limit: None,
                place: 0,
                host: stored("hooks.example"),
                port: None,
            },
            _ => task_run::Event::Succeeded {
                task_run_id,
                task_id,
                owner_id,
            },
        };
        event.into()
    };
    let whole = [
        defined(),
        taken(1_002),
        of_run("requested"),
        of_run("attempted"),
        of_run("succeeded"),
    ];
    let call = |task: &str, run_id| ReceivedCall {
        at: second(1_002),
        task: task.to_owned(),
        run_id,
    };
    let own = call(NAME, TASK_RUN.0);
    let violations = |faults: usize, events: &[Event], end, calls: &[&ReceivedCall]| {
        let fault = Entry::FaultBegins {
            at_ms: 0,
            fault: "kill-projector".to_owned(),
        };
        let calls: Vec<_> = calls.iter().copied().cloned().collect();
        let log = log(events.iter().cloned(), end);
        calls_lost_or_repeated(&vec![fault; faults], &log, &calls).len()
    };
    assert_eq!(violations(0, &whole, 1_005, &[&own]), 0);
    assert_eq!(violations(0, &whole, 1_005, &[]), 1, "it did not arrive");
    assert_eq!(violations(1, &whole, 1_005, &[&own, &own]), 0);
    assert_eq!(violations(1, &whole, 1_005, &[&own, &own, &own]), 1);
    let stray = call(NAME, id(5));
    assert_eq!(violations(0, &whole, 1_005, &[&own, &stray]), 1);
    let astray = call("well-2", TASK_RUN.0);
    assert_eq!(violations(0, &whole, 1_005, &[&own, &astray]), 1);
    assert_eq!(violations(0, &whole, 1_500, &[&own]), 1, "it was open long");
    assert_eq!(violations(0, &whole[..4], 1_004, &[&own]), 1, "it is open");
    let [defined, taken, requested, _, succeeded] = &whole;
    let unrecorded = [defined, taken, requested, succeeded].map(Clone::clone);
    assert_eq!(violations(1, &unrecorded, 1_004, &[&own]), 1);
    let slotless = [defined, requested, succeeded].map(Clone::clone);
    assert_eq!(violations(0, &slotless, 1_003, &[]), 1);
}
