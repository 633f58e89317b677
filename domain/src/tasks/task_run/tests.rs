//! When a run is tried again, and when it is over.

use tidemark_events::Event as AnyEvent;
use tidemark_events::samples::{SELLER, TASK, TASK_RUN, at, moment};

use super::*;
use crate::given::{Given, given, sample, writes_of};

fn attempt(outcome: Outcome) -> RecordAttempt {
    RecordAttempt {
        run_id: TASK_RUN,
        attempt: 1,
        changes: Some(0),
        outcome,
        status: Some(503),
        ms: 12,
        answer: None,
        retry_after_s: None,
        pauses_ms: vec![5_000, 10_000],
    }
}

/// A run for the slot at second 60, after which the next one is at second 120. The time is second 70.
fn requested(trigger: Trigger) -> Given {
    let mut run = sample("task_run.requested");
    if let AnyEvent::TaskRun(Event::Requested {
        trigger: of_run, ..
    }) = &mut run
    {
        *of_run = trigger;
    }
    given([sample("task.defined"), sample("task.slot_taken"), run])
        .by_service()
        .at(at(70))
}

/// In how many milliseconds the next attempt is made.
fn next_ms(given: &Given, command: RecordAttempt) -> Option<i64> {
    let writes = given.when(command).unwrap();
    let Write::Event(_, AnyEvent::TaskRun(Event::Attempted { next_at, .. })) = &writes[0] else {
        panic!("an attempt: {writes:?}")
    };
    next_at.map(|next_at| (*next_at - at(70)).num_milliseconds())
}

fn ended(result: RunResult, failing_since: Option<i64>) -> Write {
    let ended = task::Event::RunEnded {
        task_id: TASK,
        owner_id: SELLER,
        run_id: TASK_RUN,
        result,
        failing_since: failing_since.map(|second| moment(second).into()),
        slot: Some(moment(60).into()),
        next: None,
    };
    Write::event(TASK.0, ended)
}

#[test]
fn a_run_succeeds_with_the_first_call_that_does() {
    let run = requested(Trigger::Schedule);
    let writes = run.when(attempt(Outcome::Delivered)).unwrap();
    assert_eq!(writes[1..2], writes_of(["task_run.succeeded"]));
    assert_eq!(writes[2..], [ended(RunResult::Succeeded, None)]);
}

#[test]
fn a_call_that_fails_is_made_again_after_a_pause_that_is_up_to_a_fifth_longer() {
    let run = requested(Trigger::Request);
    let next = next_ms(&run, attempt(Outcome::TimedOut)).unwrap();
    assert!((5_000..=6_000).contains(&next), "{next}");
    let asked = RecordAttempt {
        retry_after_s: Some(3_600),
        ..attempt(Outcome::Refused)
    };
    assert_eq!(next_ms(&run, asked), Some(3_600_000));
    // Nothing makes it shorter, and all attempts would soon be over.
    for (asked, used) in [(0, next), (1, next), (u32::MAX, 86_400_000)] {
        let asked = RecordAttempt {
            retry_after_s: Some(asked),
            ..attempt(Outcome::Refused)
        };
        assert_eq!(next_ms(&run, asked), Some(used));
    }
}

#[test]
fn a_run_of_the_schedule_is_tried_again_before_the_next_slot_only() {
    let run = requested(Trigger::Schedule);
    assert!(next_ms(&run, attempt(Outcome::Unreachable)).is_some());
    let slow = RecordAttempt {
        ms: 55_500,
        ..attempt(Outcome::TimedOut)
    };
    let late = requested(Trigger::Schedule).at(at(116));
    let writes = late.when(slow).unwrap();
    assert_eq!(writes[1..2], writes_of(["task_run.failed"]));
    assert_eq!(writes[2..], [ended(RunResult::Failed, Some(116))]);
}

#[test]
fn a_run_with_which_only_tidemark_was_late_is_tried_again_although_its_next_slot_has_come() {
    let next_at = |second| {
        let late = requested(Trigger::Schedule).at(at(second));
        next_ms(&late, attempt(Outcome::Refused)).is_some()
    };
    assert!(next_at(116), "the slot at second 120 is skipped");
    assert!(next_at(123));
    assert!(!next_at(126), "that is too late");
    let last = RecordAttempt {
        attempt: 2,
        ..attempt(Outcome::Refused)
    };
    // The call before, and the pause after it, count as well.
    for (ms, is_tried) in [(40_000, true), (46_000, false)] {
        let mut first = sample("task_run.attempted");
        if let AnyEvent::TaskRun(Event::Attempted { ms: of_call, .. }) = &mut first {
            *of_call = ms;
        }
        let late = requested(Trigger::Schedule).and([first]).at(at(116));
        assert_eq!(next_ms(&late, last.clone()).is_some(), is_tried, "{ms}");
    }
}

#[test]
fn a_pause_that_a_server_asked_for_is_not_the_lateness_of_tidemark() {
    let last = RecordAttempt {
        attempt: 2,
        ..attempt(Outcome::Refused)
    };
    // The first call failed at once, and this one at second 116.
    for (pause, is_tried) in [(5_000, true), (50_000, false)] {
        let mut first = sample("task_run.attempted");
        if let AnyEvent::TaskRun(Event::Attempted { pause_ms, .. }) = &mut first {
            *pause_ms = Some(pause);
        }
        let late = requested(Trigger::Schedule).and([first]).at(at(116));
        assert_eq!(next_ms(&late, last.clone()).is_some(), is_tried, "{pause}");
    }
}

#[test]
fn what_a_server_that_is_called_no_more_answers_pauses_nothing() {
    let run = |change: Option<AnyEvent>| requested(Trigger::Request).and(change);
    let gone = |changes| RecordAttempt {
        changes,
        ..attempt(Outcome::Gone)
    };
    let changed = || Some(sample("task.changed"));
    assert!(next_ms(&run(changed()), gone(Some(0))).is_some());
    assert_eq!(next_ms(&run(changed()), gone(Some(1))), None);
    assert_eq!(next_ms(&run(changed()), gone(None)), None, "a build before");
    // It is called still, although something else was changed.
    let mut renamed = sample("task.changed");
    if let AnyEvent::Task(task::Event::Changed { url_hash, .. }) = &mut renamed
        && let AnyEvent::Task(task::Event::Defined { url_hash: old, .. }) = sample("task.defined")
    {
        *url_hash = old;
    }
    assert_eq!(next_ms(&run(Some(renamed)), gone(Some(0))), None);
    // If it was the last attempt, the run fails, and the task goes on.
    let last = RecordAttempt {
        pauses_ms: Vec::new(),
        ..gone(Some(0))
    };
    let writes = run(changed()).when(last).unwrap();
    let is_pause = |it: &Write| {
        matches!(
            it,
            Write::Event(_, AnyEvent::Task(task::Event::Paused { .. }))
        )
    };
    assert_eq!(writes[1..2], writes_of(["task_run.failed"]));
    assert!(!writes.iter().any(is_pause), "{writes:?}");
}

#[test]
fn the_end_of_a_run_names_the_slot_that_has_waited_for_it() {
    let next = |second, outcome| {
        let run = requested(Trigger::Schedule).at(at(second));
        let writes = run.when(attempt(outcome)).unwrap();
        let of_end = |write: &Write| match write {
            Write::Event(_, AnyEvent::Task(task::Event::RunEnded { next, .. })) => {
                Some(next.as_ref().map(|it| (*it.slot - at(0)).num_seconds()))
            }
            Write::Event(..) | Write::Claim(..) | Write::Release(..) => None,
        };
        writes.iter().find_map(of_end).unwrap()
    };
    assert_eq!(next(119, Outcome::Delivered), None);
    assert_eq!(next(120, Outcome::Delivered), Some(120));
    assert_eq!(next(200, Outcome::Refused), Some(120));
    assert_eq!(next(200, Outcome::Gone), None, "the task is paused");
}

#[test]
fn an_attempt_names_the_host_and_the_port_that_the_task_calls_by_then() {
    let server = |events: &[&str]| {
        let run = requested(Trigger::Request).and(events.iter().map(|it| sample(it)));
        let writes = run.when(attempt(Outcome::Refused)).unwrap();
        let Write::Event(_, AnyEvent::TaskRun(Event::Attempted { host, port, .. })) = &writes[0]
        else {
            panic!("an attempt: {writes:?}")
        };
        (host.to_string(), *port)
    };
    assert_eq!(server(&[]), ("hooks.example".to_owned(), None));
    let changed = ("other.example".to_owned(), Some(8_443));
    assert_eq!(server(&["task.changed"]), changed);
}

#[test]
fn a_call_of_the_schedule_is_broken_off_before_the_next_slot_comes() {
    // The limit of the next call: for how many milliseconds, and until which second.
    let limit = |trigger, ms, command| {
        let now = at(0) + TimeDelta::milliseconds(ms);
        let writes = requested(trigger).at(now).when(command).unwrap();
        let Write::Event(_, AnyEvent::TaskRun(Event::Attempted { next_limit, .. })) = &writes[0]
        else {
            panic!("an attempt: {writes:?}")
        };
        next_limit.map(|it| (it.max_ms, (*it.until - at(0)).num_seconds()))
    };
    assert_eq!(
        limit(Trigger::Request, 70_000, attempt(Outcome::Refused)),
        None
    );
    let asked = |ms, seconds| RecordAttempt {
        ms,
        retry_after_s: Some(seconds),
        ..attempt(Outcome::Refused)
    };
    // The run began on time, and its first call took until second 70.
    let on_time = limit(Trigger::Schedule, 70_000, asked(10_000, 20));
    assert_eq!(on_time, Some((29_000, 130)));
    let hardly = limit(Trigger::Schedule, 70_000, asked(10_000, 50));
    assert_eq!(hardly, None, "the next slot has come");
    let shortly = limit(Trigger::Schedule, 70_000, asked(10_000, 48));
    assert_eq!(shortly, Some((1_000, 130)), "a second is the least");
    let too_short = limit(Trigger::Schedule, 70_001, asked(10_001, 48));
    assert_eq!(too_short, None, "it would not be over when the slot comes");
    // Tidemark was late by 50 seconds.
    let late = limit(Trigger::Schedule, 110_000, asked(0, 6));
    assert_eq!(late, Some((53_000, 130)));
    let too_late = limit(Trigger::Schedule, 70_000, attempt(Outcome::TooLate));
    assert_eq!(too_late, None);
}

#[test]
fn a_run_fails_when_no_attempt_is_left() {
    let last = RecordAttempt {
        pauses_ms: Vec::new(),
        ..attempt(Outcome::Refused)
    };
    let writes = requested(Trigger::Request).when(last).unwrap();
    assert_eq!(writes[1..2], writes_of(["task_run.failed"]));
}

#[test]
fn a_server_that_is_gone_an_owner_who_is_and_days_of_failure_pause_the_task() {
    let pause = |given: Given, outcome, attempt: fn(Outcome) -> RecordAttempt| {
        let writes = given.when(attempt(outcome)).unwrap();
        match writes.last() {
            Some(Write::Event(_, AnyEvent::Task(task::Event::Paused { reason, .. }))) => {
                Some(*reason)
            }
            _ => None,
        }
    };
    let run = || requested(Trigger::Request);
    assert_eq!(
        pause(run(), Outcome::Gone, attempt),
        Some(PauseReason::Gone)
    );
    let erased = pause(run(), Outcome::OwnerErased, attempt);
    assert_eq!(erased, Some(PauseReason::OwnerErased));
    let last = |outcome| RecordAttempt {
        pauses_ms: Vec::new(),
        ..attempt(outcome)
    };
    // The sample has failed since second 150.
    let failing = |seconds: i64| run().and([sample("task.run_ended")]).at(at(150 + seconds));
    assert_eq!(
        pause(failing(432_000), Outcome::Refused, last),
        Some(PauseReason::Failing)
    );
    assert_eq!(pause(failing(431_999), Outcome::Refused, last), None);
}

#[test]
fn each_attempt_is_recorded_once_and_none_after_the_end() {
    let tried = requested(Trigger::Request).and([sample("task_run.attempted")]);
    let again = tried.when(attempt(Outcome::Delivered));
    assert_eq!(again, Err(Error::Recorded.into()));
    for end in [
        "task_run.succeeded",
        "task_run.failed",
        "task_run.cancelled",
    ] {
        let over = requested(Trigger::Request).and([sample(end)]);
        let late = over.when(attempt(Outcome::Delivered));
        assert_eq!(late, Err(Error::Over.into()));
    }
    let unknown = given([]).by_service().when(attempt(Outcome::Delivered));
    assert_eq!(unknown, Err(Error::NotFound.into()));
}
