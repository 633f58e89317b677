//! What follows when owners pause, resume and retire their tasks.

use super::*;

pub(super) fn resume() -> Resume {
    Resume {
        task_id: TASK,
        frequent_max: 1,
    }
}

#[test]
fn a_task_that_is_paused_skips_its_slots_until_it_is_resumed() {
    let running = || {
        let run = [sample("task.slot_taken"), sample("task_run.requested")];
        task(Missed::Latest).and(run).by(SELLER)
    };
    let paused = running().when(Pause { task_id: TASK });
    assert_eq!(paused, Ok(writes_of(["task_run.cancelled", "task.paused"])));
    let again = running()
        .and([sample("task.paused")])
        .when(Pause { task_id: TASK });
    assert_eq!(again, Err(Error::Paused.into()));

    let mut paused = task(Missed::Latest)
        .and([sample("task.paused")])
        .by(SELLER)
        .at(at(130));
    let writes = paused.execute(resume()).unwrap();
    assert_eq!(slots(&writes).0, [(60, 120, 2, SkipReason::Paused)]);
    assert_eq!(writes[1..], writes_of(["task.resumed"]));
    let again = paused.when(resume());
    assert_eq!(again, Err(Error::NotPaused.into()));
}

#[test]
fn a_task_that_is_retired_leaves_its_claims_and_never_runs_again() {
    let AnyEvent::Task(Event::Defined { url_hash, .. }) = sample("task.defined") else {
        panic!("not a definition")
    };
    let mut task = task(Missed::Latest)
        .claimed(url_claim(&url_hash), TASK.0)
        .claimed(place_claim(SELLER, 0), TASK.0)
        .by(SELLER);
    let writes = task.execute(Retire { task_id: TASK }).unwrap();
    assert_eq!(writes[..1], writes_of(["task.retired"]));
    assert!(task.claims.is_empty());
    let again = task.when(Retire { task_id: TASK });
    assert_eq!(again, Err(Error::Retired.into()));
}

#[test]
fn slots_that_are_due_when_a_task_is_retired_are_skipped() {
    let skipped = |events: &[&str]| {
        let task = task(Missed::Latest).and(events.iter().map(|it| sample(it)));
        let writes = task.by(SELLER).at(at(130)).when(Retire { task_id: TASK });
        slots(&writes.unwrap()).0
    };
    assert_eq!(skipped(&[]), [(60, 120, 2, SkipReason::Retired)]);
    assert_eq!(
        skipped(&["task.paused"]),
        [(60, 120, 2, SkipReason::Paused)]
    );
    let taken = ["task.slot_taken", "task_run.requested"];
    assert_eq!(skipped(&taken), [(120, 120, 1, SkipReason::Retired)]);
}
