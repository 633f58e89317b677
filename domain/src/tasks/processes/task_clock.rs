//! Has the slots of tasks taken when they are due.

use serde_json::json;
use tidemark_events::Event;
use tidemark_events::tasks::task;

use crate::process_manager::{About, Action, Done, ProcessManager, What};

/// Has the slots of tasks taken when they are due.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "task-clock",
    event_types: &[
        "task.defined",
        "task.slot_taken",
        "task.slots_skipped",
        "task.run_ended",
        "task.resumed",
        "task.changed",
        "task.replanned",
    ],
    commands: &["take_task_slot"],
    // Owners pause and retire their tasks, which leaves nothing to take: whoever resumes one has another slot planned.
    fulfilled: &["task_slot_over", "task_paused", "task_retired"],
    final_refusals: &[],
    react,
};

fn react(event: &Event) -> Vec<Action> {
    let Event::Task(
        task::Event::Defined {
            task_id,
            owner_id,
            next,
            ..
        }
        | task::Event::SlotTaken {
            task_id,
            owner_id,
            next,
            ..
        }
        | task::Event::SlotsSkipped {
            task_id,
            owner_id,
            next,
            ..
        }
        | task::Event::RunEnded {
            task_id,
            owner_id,
            next,
            ..
        }
        | task::Event::Resumed {
            task_id,
            owner_id,
            next,
            ..
        }
        | task::Event::Changed {
            task_id,
            owner_id,
            next,
            ..
        }
        | task::Event::Replanned {
            task_id,
            owner_id,
            next,
            ..
        },
    ) = event
    else {
        return Vec::new();
    };
    let take = |next: &task::NextSlot| Action {
        name: "take-slot".to_owned(),
        due_at: Some(*next.due_at),
        // A task waits for one slot, which is the one that was named last.
        owner_id: Some(*owner_id),
        about: Some(About {
            what: task_id.to_string(),
            done: Done::Newest,
        }),
        what: What::Command {
            path: format!("/v1/tasks/{task_id}/take-slot"),
            body: Some(json!({"slot": next.slot})),
        },
    };
    next.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{SELLER, TASK, TASK_RUN, at, moment};

    use super::*;
    use crate::given::{given, sample};
    use crate::tasks::task::TakeSlot;

    #[test]
    fn each_slot_is_taken_when_it_is_due() {
        let [action] = &react(&sample("task.defined"))[..] else {
            panic!("one action");
        };
        assert_eq!(
            (action.due_at, action.owner_id),
            (Some(at(60)), Some(SELLER))
        );
        let take = What::Command {
            path: format!("/v1/tasks/{TASK}/take-slot"),
            body: Some(json!({"slot": "2027-01-01T00:01:00Z"})),
        };
        assert_eq!(action.what, take);
        let about = About {
            what: TASK.to_string(),
            done: Done::Newest,
        };
        assert_eq!(action.about.as_ref(), Some(&about));
    }

    #[test]
    fn a_task_that_was_paused_or_retired_leaves_nothing_to_take() {
        for event_type in ["task.paused", "task.retired"] {
            let events = ["task.defined", event_type].map(sample);
            let take = TakeSlot {
                task_id: TASK,
                run_id: TASK_RUN,
                slot: moment(60),
            };
            let refusal = given(events).at(at(60)).by_service().when(take);
            let code = refusal.expect_err("nothing is due").code.name;
            assert!(PROCESS_MANAGER.fulfilled.contains(&code), "{code}");
        }
    }
}
