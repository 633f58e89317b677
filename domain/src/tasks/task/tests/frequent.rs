//! How many tasks of one owner may be due more often than once a minute.

use tidemark_events::tasks::task_run::Outcome;

use super::changes::change;
use super::control::resume;
use super::*;
use crate::tasks::task::places::frequent_place_claim;
use crate::tasks::task_run::RecordAttempt;

/// A schedule that is due each second.
fn each_second() -> Schedule {
    Schedule::read("* * * * * *", "europe/berlin").unwrap()
}

/// The definition of the sample, which would be due each second.
fn frequent() -> Define {
    let mut define = define();
    define.plan.as_mut().unwrap().schedule = each_second();
    define
}

/// The change of the sample, by which the task is due each second.
fn to_frequent() -> Change {
    let mut change = change();
    change.plan.as_mut().unwrap().schedule = each_second();
    change
}

fn user() -> Given {
    given([registered(SELLER)]).by(SELLER).at(at(0))
}

/// The task of the sample with its claims, as its owner sees it.
fn rare() -> Given {
    let mut user = user();
    user.execute(define()).unwrap();
    user
}

/// The same, with the place for a frequent task taken by another task of its owner.
fn rare_beside_a_frequent_one() -> Given {
    rare().claimed(frequent_place_claim(SELLER, 0), TASK_RUN.0)
}

fn has_place(given: &Given) -> bool {
    given.claims.contains_key(&frequent_place_claim(SELLER, 0))
}

#[test]
fn an_owner_has_few_tasks_that_are_due_more_often_than_once_a_minute() {
    let taken = || user().claimed(frequent_place_claim(SELLER, 0), TASK_RUN.0);
    let refused = taken().when(frequent());
    assert_eq!(refused, Err(Error::TooManyFrequent(1).into()));
    assert!(
        taken().when(define()).is_ok(),
        "once a minute is not too often"
    );
    let elsewhere = user().claimed(frequent_place_claim(BIDDER, 0), TASK_RUN.0);
    assert!(elsewhere.when(frequent()).is_ok(), "others have their own");
    let mut first = user();
    first.execute(frequent()).unwrap();
    assert!(has_place(&first));
    let none = Define {
        frequent_max: 0,
        ..frequent()
    };
    assert_eq!(user().when(none), Err(Error::TooManyFrequent(0).into()));
}

#[test]
fn a_change_takes_and_leaves_the_place_of_a_frequent_task() {
    let refused = rare_beside_a_frequent_one().when(to_frequent());
    assert_eq!(refused, Err(Error::TooManyFrequent(1).into()));
    let mut task = rare();
    task.execute(to_frequent()).unwrap();
    assert!(has_place(&task));
    // With other seconds, and without saying when, it keeps the place.
    let mut again = to_frequent();
    again.after_changes = 1;
    again.plan.as_mut().unwrap().schedule = Schedule::read("*/2 * * * * *", "utc").unwrap();
    task.execute(again).unwrap();
    let unchanged = Change {
        plan: None,
        after_changes: 2,
        ..change()
    };
    task.execute(unchanged).unwrap();
    assert!(has_place(&task));
    let back = Change {
        after_changes: 3,
        ..change()
    };
    task.execute(back).unwrap();
    assert!(!has_place(&task));
}

#[test]
fn a_task_has_no_place_of_a_frequent_one_while_it_is_paused() {
    let mut task = user();
    task.execute(frequent()).unwrap();
    task.execute(Pause { task_id: TASK }).unwrap();
    assert!(!has_place(&task));
    let another = frequent_place_claim(SELLER, 0);
    let refused = rare_beside_a_frequent_one();
    let mut refused = refused.and([sample("task.paused")]);
    refused.execute(to_frequent()).unwrap();
    let refused = refused.when(resume());
    assert_eq!(refused, Err(Error::TooManyFrequent(1).into()));
    task.execute(resume()).unwrap();
    assert_eq!(task.claims.get(&another), Some(&TASK.0));
    task.execute(Retire { task_id: TASK }).unwrap();
    assert!(task.claims.is_empty());
}

#[test]
fn a_task_that_is_paused_since_its_server_is_gone_leaves_its_place() {
    let mut task = user();
    task.execute(frequent()).unwrap();
    let run = RunNow {
        task_id: TASK,
        run_id: TASK_RUN,
    };
    task.execute(run).unwrap();
    let mut service = task.by_service();
    let gone = RecordAttempt {
        run_id: TASK_RUN,
        attempt: 1,
        changes: Some(0),
        outcome: Outcome::Gone,
        status: Some(410),
        ms: 20,
        answer: None,
        retry_after_s: None,
        pauses_ms: Vec::new(),
    };
    service.execute(gone).unwrap();
    assert!(!has_place(&service));
}

#[test]
fn a_task_that_a_build_before_defined_goes_on_without_a_place() {
    let mut event = sample("task.defined");
    if let AnyEvent::Task(Event::Defined {
        plan: Some(plan), ..
    }) = &mut event
    {
        plan.cron = stored("* * * * * *");
    }
    let task = given([registered(SELLER), event])
        .claimed(url_claim(&define().url_hash), TASK.0)
        .claimed(place_claim(SELLER, 0), TASK.0)
        .claimed(frequent_place_claim(SELLER, 0), TASK_RUN.0)
        .by(SELLER)
        .at(at(0));
    let other_name = Change {
        plan: None,
        ..change()
    };
    assert!(task.when(other_name).is_ok());
    assert!(task.when(Retire { task_id: TASK }).is_ok());
    let refused = task.when(to_frequent());
    assert_eq!(refused, Err(Error::TooManyFrequent(1).into()));
}
