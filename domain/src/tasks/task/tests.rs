//! Which tasks may be defined, which slots run, and which are skipped.

mod changes;
mod control;
mod frequent;
mod overlap;

use tidemark_events::Event as AnyEvent;
use tidemark_events::samples::{BIDDER, SELLER, TASK, TASK_RUN, at, moment, stated, stored};
use tidemark_events::tasks::task::{Missed, Overlap, SkipReason, Trigger};

use super::places::place_claim;
use super::*;
use crate::given::{Given, given, registered, sample, writes_of};
use crate::tasks::destination::{Destination, Hosts};
use crate::tasks::schedule::ScheduleError;
use crate::{Command, Reason, Write};

/// The task of the sample, which is due at each full minute, with another rule for missed slots.
fn defined(missed: Missed) -> AnyEvent {
    let mut event = sample("task.defined");
    if let AnyEvent::Task(Event::Defined {
        plan: Some(plan), ..
    }) = &mut event
    {
        plan.missed = missed;
    }
    event
}

/// The same with another rule for slots that come while a run goes on.
fn with_overlap(missed: Missed, overlap: Overlap) -> AnyEvent {
    let mut event = defined(missed);
    if let AnyEvent::Task(Event::Defined {
        plan: Some(plan), ..
    }) = &mut event
    {
        plan.overlap = overlap;
    }
    event
}

fn task(missed: Missed) -> Given {
    given([registered(SELLER), defined(missed)])
}

fn define() -> Define {
    let AnyEvent::Task(Event::Defined {
        call,
        secret,
        url_hash,
        method,
        ..
    }) = sample("task.defined")
    else {
        panic!("not a definition")
    };
    let schedule = Schedule::read("* * * * *", "europe/berlin");
    Define {
        task_id: TASK,
        name: stated("Fetch prices"),
        destination: Destination::new("https://hooks.example/", Hosts::default()).unwrap(),
        method,
        call: *call,
        secret: *secret,
        url_hash,
        plan: Some(define::NewPlan {
            schedule: schedule.unwrap(),
            is_due: true,
            missed: Missed::Latest,
            overlap: Overlap::Skip,
            window_s: None,
            delay_max_s: Some(0),
        }),
        tasks_max: 2,
        frequent_max: 1,
    }
}

/// Takes the slot at so many seconds.
fn take(second: i64) -> TakeSlot {
    TakeSlot {
        task_id: TASK,
        slot: moment(second),
        run_id: TASK_RUN,
    }
}

/// The first and the last of slots that were skipped, in seconds, how many, and why.
type Skip = (i64, i64, u32, SkipReason);

/// The slots that were skipped by the writes, and the one that was taken, in seconds.
fn slots(writes: &[Write]) -> (Vec<Skip>, Option<i64>) {
    let second = |time: &Stored<Moment>| (**time - at(0)).num_seconds();
    let mut skipped = Vec::new();
    let mut taken = None;
    for write in writes {
        match write {
            Write::Event(
                _,
                AnyEvent::Task(Event::SlotsSkipped {
                    from,
                    to,
                    count,
                    reason,
                    ..
                }),
            ) => {
                skipped.push((second(from), second(to), *count, *reason));
            }
            Write::Event(_, AnyEvent::Task(Event::SlotTaken { slot, .. })) => {
                taken = Some(second(slot));
            }
            Write::Event(..) | Write::Claim(..) | Write::Release(..) => {}
        }
    }
    (skipped, taken)
}

#[test]
fn a_user_defines_a_task_with_its_first_slot() {
    let writes = given([registered(SELLER)])
        .by(SELLER)
        .when(define())
        .unwrap();
    assert_eq!(writes[..1], writes_of(["task.defined"]));
    assert!(matches!(writes[1..], [Write::Claim(..), Write::Claim(..)]));
}

#[test]
fn a_schedule_that_is_never_due_is_refused() {
    let mut never = define();
    never.plan.as_mut().unwrap().is_due = false;
    let refused = given([registered(SELLER)]).by(SELLER).when(never);
    assert_eq!(refused, Err(Error::from(ScheduleError::NeverDue).into()));
}

#[test]
fn a_url_has_one_task_of_an_owner_and_an_owner_a_bounded_number() {
    let user = || given([registered(SELLER)]).by(SELLER);
    let url = url_claim(&define().url_hash);
    let again = user().claimed(url, TASK.0).when(define());
    assert_eq!(again, Err(Error::Duplicate(TASK).into()));
    let first = user().claimed(place_claim(SELLER, 0), TASK_RUN.0);
    assert!(first.when(define()).is_ok());
    let both = user()
        .claimed(place_claim(SELLER, 0), TASK_RUN.0)
        .claimed(place_claim(SELLER, 1), TASK.0);
    assert_eq!(both.when(define()), Err(Error::TooMany(2).into()));
}

#[test]
fn a_slot_is_taken_when_it_is_due_and_once() {
    let clock = || task(Missed::Latest).by_service();
    let taken = clock().at(at(60)).when(take(60));
    assert_eq!(
        taken,
        Ok(writes_of(["task.slot_taken", "task_run.requested"]))
    );
    let early = clock().at(at(59)).when(take(60)).unwrap_err();
    assert_eq!((early.code.name, early.retry_at), ("not_due", Some(at(60))));
    let again = clock()
        .and([sample("task.slot_taken")])
        .at(at(200))
        .when(take(60));
    assert_eq!(again, Err(Error::SlotOver.into()));
}

#[test]
fn the_clock_takes_no_slot_of_a_task_that_is_paused_or_retired() {
    for (event_type, error) in [
        ("task.paused", Error::Paused),
        ("task.retired", Error::Retired),
    ] {
        let task = task(Missed::Latest).and([sample(event_type)]);
        assert_eq!(
            task.by_service().at(at(60)).when(take(60)),
            Err(error.into())
        );
    }
}

#[test]
fn of_missed_slots_the_newest_runs_unless_the_owner_wants_none_or_all() {
    let after = |missed, second| {
        let given = task(missed).by_service().at(at(second));
        slots(&given.when(take(60)).unwrap())
    };
    let missed = SkipReason::Missed;
    assert_eq!(
        after(Missed::Latest, 200),
        (vec![(60, 120, 2, missed)], Some(180))
    );
    // Nobody can take a slot on time to the second.
    assert_eq!(
        after(Missed::None, 185),
        (vec![(60, 120, 2, missed)], Some(180))
    );
    assert_eq!(after(Missed::None, 200), (vec![(60, 180, 3, missed)], None));
    assert_eq!(after(Missed::All, 200), (vec![], Some(60)));
    // The window is an hour, and at most 100 run.
    assert_eq!(
        after(Missed::All, 7_230),
        (vec![(60, 3_600, 60, missed)], Some(3_660))
    );
    assert_eq!(
        after(Missed::Latest, 90_000),
        (vec![(60, 89_940, 1_499, missed)], Some(90_000))
    );
}

#[test]
fn at_most_a_hundred_missed_slots_run_one_after_another() {
    let mut event = defined(Missed::All);
    if let AnyEvent::Task(Event::Defined {
        plan: Some(plan), ..
    }) = &mut event
    {
        plan.window_s = 86_400;
    }
    let task = given([event]).by_service().at(at(12_000));
    let found = slots(&task.when(take(60)).unwrap());
    assert_eq!(
        found,
        (vec![(60, 6_000, 100, SkipReason::Missed)], Some(6_060))
    );
}

#[test]
fn runs_do_not_overlap() {
    let running = |missed| task(missed).and([sample("task.slot_taken")]);
    let skipped = running(Missed::Latest)
        .by_service()
        .at(at(120))
        .when(take(120));
    assert_eq!(skipped, Ok(writes_of(["task.slots_skipped"])));
    let waits = running(Missed::All)
        .by_service()
        .at(at(120))
        .when(take(120));
    assert_eq!(waits.unwrap_err().retry_at, Some(at(180)));
    let run = RunNow {
        task_id: TASK,
        run_id: TASK_RUN,
    };
    let refused = running(Missed::Latest).by(SELLER).when(run);
    assert_eq!(refused, Err(Error::Running.into()));
}

#[test]
fn the_newest_slot_waits_for_a_run_if_the_owner_wants_that() {
    for missed in [Missed::Latest, Missed::None] {
        let event = with_overlap(missed, Overlap::BufferOne);
        let mut running = given([event, sample("task.slot_taken")]).by_service();
        running = running.at(at(120));
        assert_eq!(running.when(take(120)).unwrap_err().retry_at, Some(at(180)));
        let ended = running.and([sample("task.run_ended")]).at(at(255));
        let found = slots(&ended.when(take(120)).unwrap());
        assert_eq!(found, (vec![(120, 180, 2, SkipReason::Overlap)], Some(240)));
    }
}

#[test]
fn an_owner_runs_a_task_besides_its_schedule() {
    let run = RunNow {
        task_id: TASK,
        run_id: TASK_RUN,
    };
    let mut task = task(Missed::Latest).by(SELLER).at(at(7));
    let writes = task.execute(run).unwrap();
    let [
        Write::Event(_, AnyEvent::Task(Event::SlotTaken { trigger, next, .. })),
        _,
    ] = &writes[..]
    else {
        panic!("a slot and a run: {writes:?}");
    };
    assert_eq!((*trigger, next), (Trigger::Request, &None));
    // The schedule goes on, and its slot is skipped while the run is not over.
    let scheduled = task.by_service().at(at(60)).when(take(60)).unwrap();
    assert_eq!(slots(&scheduled).0, [(60, 60, 1, SkipReason::Overlap)]);
}

/// The task of the sample, whose next slot a build with other zone data has computed.
fn of_other_zone_data(second: i64) -> Given {
    let mut event = defined(Missed::Latest);
    if let AnyEvent::Task(Event::Defined {
        next: Some(next), ..
    }) = &mut event
    {
        next.slot = moment(second).into();
        next.due_at = moment(second).into();
        next.tzdb = stored("2019a");
    }
    given([registered(SELLER), event]).by_service()
}

#[test]
fn a_slot_that_is_none_by_the_zone_data_of_this_build_is_planned_anew() {
    let replanned = |second: i64| {
        let event = Event::Replanned {
            task_id: TASK,
            owner_id: SELLER,
            next: Some(NextSlot {
                slot: moment(second).into(),
                due_at: moment(second).into(),
                tzdb: stored(tzdb()),
            }),
        };
        Write::event(TASK.0, event)
    };
    // It is due later than was thought.
    let mut task = of_other_zone_data(90).at(at(90));
    assert_eq!(task.execute(take(90)), Ok(vec![replanned(120)]));
    let taken = task.at(at(120)).when(take(120)).unwrap();
    assert_eq!(slots(&taken), (vec![], Some(120)));
    // It was due before.
    let mut event = sample("task.slot_taken");
    if let AnyEvent::Task(Event::SlotTaken {
        next: Some(next), ..
    }) = &mut event
    {
        next.slot = moment(150).into();
        next.due_at = moment(150).into();
        next.tzdb = stored("2019a");
    }
    let ended = sample("task.run_ended");
    let earlier = of_other_zone_data(90).and([event, ended]).at(at(150));
    let writes = earlier.when(take(150)).unwrap();
    assert_eq!(writes[0], replanned(120));
    assert_eq!(slots(&writes[1..]), (vec![], Some(120)));
    // A slot that is the same is taken as ever.
    let same = of_other_zone_data(60).at(at(60)).when(take(60)).unwrap();
    assert_eq!(same, writes_of(["task.slot_taken", "task_run.requested"]));
}

#[test]
fn nobody_else_learns_of_a_task() {
    fn assert_hidden<C: Command>(command: C) {
        let stranger = given([registered(BIDDER), sample("task.defined")]).by(BIDDER);
        let code = stranger.when(command).unwrap_err().code;
        assert_eq!(code, Error::NotFound.code());
    }
    assert_hidden(Pause { task_id: TASK });
    assert_hidden(control::resume());
    assert_hidden(Retire { task_id: TASK });
    assert_hidden(RunNow {
        task_id: TASK,
        run_id: TASK_RUN,
    });
    assert_hidden(changes::change());
    assert_hidden(changes::rotate());
}
