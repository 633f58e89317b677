//! What owners may change of their tasks, and what follows.

use super::*;

/// The change of the sample, which is the first one.
pub(super) fn change() -> Change {
    let AnyEvent::Task(Event::Changed {
        name,
        method,
        host,
        port,
        call,
        url_hash,
        ..
    }) = sample("task.changed")
    else {
        panic!("not a change")
    };
    let schedule = Schedule::read("*/2 * * * *", "asia/tokyo");
    Change {
        task_id: TASK,
        after_changes: 0,
        name,
        method,
        host,
        port,
        call: *call,
        calls_as_before: false,
        body_is_in_vain: false,
        url_hash,
        plan: Some(define::NewPlan {
            schedule: schedule.unwrap(),
            is_due: true,
            missed: Missed::All,
            overlap: Overlap::BufferOne,
            window_s: None,
            delay_max_s: Some(0),
        }),
        frequent_max: 1,
    }
}

/// The task of the sample with its claims, as its owner sees it.
fn claimed() -> Given {
    task(Missed::Latest)
        .claimed(url_claim(&define().url_hash), TASK.0)
        .claimed(place_claim(SELLER, 0), TASK.0)
        .by(SELLER)
}

#[test]
fn an_owner_changes_what_a_task_calls_and_when() {
    let mut task = claimed().at(at(130));
    let writes = task.execute(change()).unwrap();
    let moved = [
        Write::Release(url_claim(&define().url_hash)),
        Write::Claim(url_claim(&change().url_hash), TASK.0),
    ];
    assert_eq!(writes[..2], moved);
    assert_eq!(slots(&writes).0, [(60, 120, 2, SkipReason::Changed)]);
    assert_eq!(writes[3..], writes_of(["task.changed"]));
    // What was due next before is not any more, and the next change rests on this one.
    let old = task.by_service().at(at(240));
    assert_eq!(old.when(take(180)), Err(Error::SlotOver.into()));
    let taken = old.when(take(240)).unwrap();
    assert_eq!(slots(&taken).1, Some(240));
    let again = old.by(SELLER).when(change());
    assert_eq!(again, Err(Error::ChangedMeanwhile.into()));
}

#[test]
fn what_is_not_changed_of_a_schedule_stays_as_it_is() {
    let unchanged = Change {
        plan: None,
        url_hash: define().url_hash,
        ..change()
    };
    let mut task = claimed().at(at(130));
    let writes = task.execute(unchanged).unwrap();
    let taken = task.by_service().when(take(60)).unwrap();
    assert_eq!(slots(&taken).1, Some(120));
    let [Write::Event(_, AnyEvent::Task(Event::Changed { plan, next, .. }))] = &writes[..] else {
        panic!("a change alone: {writes:?}");
    };
    let AnyEvent::Task(Event::Defined { plan: old, .. }) = sample("task.defined") else {
        panic!("not a definition")
    };
    // A slot that was named again would be asked for again, as often as the task is changed.
    assert_eq!((plan, next), (&old, &None));
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let same = || Change {
        name: define().name.into(),
        url_hash: define().url_hash,
        calls_as_before: true,
        plan: define().plan,
        ..change()
    };
    let when = |change| claimed().at(at(130)).when(change).unwrap().len();
    assert_eq!(when(same()), 0);
    let plan = None;
    assert_eq!(when(Change { plan, ..same() }), 0);
    let calls_as_before = false;
    assert_eq!(
        when(Change {
            calls_as_before,
            ..same()
        }),
        1
    );
    let name = change().name;
    assert_eq!(when(Change { name, ..same() }), 1);
}

#[test]
fn a_body_of_calls_that_have_none_is_refused() {
    let in_vain = Change {
        body_is_in_vain: true,
        ..change()
    };
    assert_eq!(claimed().when(in_vain), Err(Error::NoBody.into()));
}

#[test]
fn the_claim_on_a_url_moves_only_if_no_other_task_of_the_owner_has_it() {
    let taken = claimed().claimed(url_claim(&change().url_hash), TASK_RUN.0);
    let refused = taken.when(change());
    assert_eq!(refused, Err(Error::Duplicate(TaskId(TASK_RUN.0)).into()));
}

#[test]
fn slots_of_a_task_that_is_paused_are_skipped_for_that_although_it_is_changed() {
    let paused = claimed().and([sample("task.paused")]).at(at(130));
    let writes = paused.when(change()).unwrap();
    assert_eq!(slots(&writes).0, [(60, 120, 2, SkipReason::Paused)]);
}

pub(super) fn rotate() -> RotateSecret {
    let AnyEvent::Task(Event::SecretRotated { secret, .. }) = sample("task.secret_rotated") else {
        panic!("not a rotation")
    };
    RotateSecret {
        task_id: TASK,
        secret: *secret,
        old_secret_s: 86_400,
        old_secrets_max: 2,
    }
}

/// Until when the secrets of before sign by these writes, in seconds, the newest first.
fn old_secrets(writes: &[Write]) -> Vec<i64> {
    let [
        Write::Event(
            _,
            AnyEvent::Task(Event::SecretRotated {
                old_secret,
                older_secrets,
                ..
            }),
        ),
    ] = writes
    else {
        panic!("a rotation: {writes:?}");
    };
    let old = [&**old_secret].into_iter().chain(older_secrets);
    old.map(|it| (*it.until - at(0)).num_seconds()).collect()
}

#[test]
fn each_secret_goes_on_for_a_day_although_there_are_others_since() {
    let mut task = task(Missed::Latest).by(SELLER).at(at(0));
    assert_eq!(old_secrets(&task.execute(rotate()).unwrap()), [86_400]);
    let mut task = task.at(at(100));
    let second = task.execute(rotate()).unwrap();
    assert_eq!(old_secrets(&second), [86_500, 86_400]);
    // A third one would end the first before its time.
    let refused = task.when(rotate());
    assert_eq!(refused, Err(Error::TooManySecrets(at(86_400)).into()));
    let later = task.at(at(86_400)).when(rotate()).unwrap();
    assert_eq!(old_secrets(&later), [172_800, 86_500]);
}
