//! Runs of one task that go on at once.

use tidemark_events::TaskRunId;
use tidemark_events::tasks::task_run;
use tidemark_events::tasks::task_run::Outcome;
use uuid::Uuid;

use super::*;
use crate::tasks::task_run::RecordAttempt;

/// The run with this number. No sample has its id.
fn run(number: u32) -> TaskRunId {
    TaskRunId(Uuid::from_u128(0xa000 + u128::from(number)))
}

fn take_as(number: u32) -> TakeSlot {
    TakeSlot {
        run_id: run(number),
        ..take(60 * i64::from(number))
    }
}

/// A task whose runs may overlap, of which so many go on.
fn running(missed: Missed, count: u32) -> Given {
    let mut task = given([registered(SELLER), with_overlap(missed, Overlap::Allow)]).by_service();
    for number in 1..=count {
        task = task.at(at(60 * i64::from(number)));
        task.execute(take_as(number)).unwrap();
    }
    task
}

/// The place that the writes have a run take, by the task and by the run.
fn place(writes: &[Write]) -> (u32, u32) {
    let [
        Write::Event(_, AnyEvent::Task(Event::SlotTaken { place: of_task, .. })),
        Write::Event(_, AnyEvent::TaskRun(task_run::Event::Requested { place: of_run, .. })),
    ] = writes
    else {
        panic!("a slot and a run: {writes:?}");
    };
    (*of_task, *of_run)
}

#[test]
fn up_to_ten_runs_go_on_at_once_if_the_owner_wants_that() {
    for taken in [0, 1, 9] {
        let task = running(Missed::Latest, taken).at(at(60 * i64::from(taken + 1)));
        let writes = task.when(take_as(taken + 1)).unwrap();
        assert_eq!(place(&writes), (taken, taken));
    }
    let full = running(Missed::Latest, 10).at(at(660));
    let skipped = full.when(take_as(11)).unwrap();
    let expected = (vec![(660, 660, 1, SkipReason::Overlap)], None);
    assert_eq!(slots(&skipped), expected);
    let by_owner = RunNow {
        task_id: TASK,
        run_id: run(12),
    };
    let refused = full.by(SELLER).when(by_owner);
    assert_eq!(refused, Err(Error::Running.into()));
    // Where each slot runs, it waits.
    let waits = running(Missed::All, 10).at(at(660)).when(take_as(11));
    assert_eq!(waits.unwrap_err().retry_at, Some(at(720)));
}

#[test]
fn a_run_takes_the_place_of_one_that_has_ended() {
    let mut ended = sample("task.run_ended");
    if let AnyEvent::Task(Event::RunEnded { run_id, .. }) = &mut ended {
        *run_id = run(2);
    }
    let task = running(Missed::Latest, 10).and([ended]).at(at(660));
    assert_eq!(place(&task.when(take_as(11)).unwrap()), (1, 1));
}

#[test]
fn runs_that_go_on_at_once_are_cancelled_when_their_task_is_paused() {
    let cancelled = |writes: &[Write]| {
        let runs = writes.iter().filter_map(|write| match write {
            Write::Event(id, AnyEvent::TaskRun(task_run::Event::Cancelled { .. })) => Some(*id),
            Write::Event(..) | Write::Claim(..) | Write::Release(..) => None,
        });
        runs.collect::<Vec<_>>()
    };
    let runs = [1, 2, 3].map(|number| run(number).0);
    let task = running(Missed::Latest, 3);
    let gone = RecordAttempt {
        run_id: run(2),
        attempt: 1,
        changes: None,
        outcome: Outcome::Gone,
        status: Some(410),
        ms: 12,
        answer: None,
        retry_after_s: None,
        pauses_ms: Vec::new(),
    };
    let writes = task.when(gone).unwrap();
    assert_eq!(cancelled(&writes), [runs[0], runs[2]]);
    let owner = task.by(SELLER);
    let writes = owner.when(Pause { task_id: TASK }).unwrap();
    assert_eq!(cancelled(&writes), runs);
    let writes = owner.when(Retire { task_id: TASK }).unwrap();
    assert_eq!(cancelled(&writes), runs);
}

#[test]
fn runs_do_not_overlap_any_more_once_the_owner_wants_that() {
    let mut changed = sample("task.changed");
    if let AnyEvent::Task(Event::Changed {
        plan: Some(plan),
        next,
        ..
    }) = &mut changed
    {
        (plan.missed, plan.overlap, *next) = (Missed::Latest, Overlap::Skip, None);
    }
    let task = running(Missed::Latest, 2).and([changed]).by(SELLER);
    let by_owner = RunNow {
        task_id: TASK,
        run_id: run(3),
    };
    assert_eq!(task.when(by_owner), Err(Error::Running.into()));
}
