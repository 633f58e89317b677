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
    fulfilled: &["task_slot_over"],
    final_refusals: &["task_paused", "task_retired"],
    react,
};

fn react(event: &Event) -> Vec<Action> {
    let Event::Task(
        task::Event::Defined { task_id, next, .. }
        | task::Event::SlotTaken { task_id, next, .. }
        | task::Event::SlotsSkipped { task_id, next, .. }
        | task::Event::RunEnded { task_id, next, .. }
        | task::Event::Resumed { task_id, next, .. }
        | task::Event::Changed { task_id, next, .. }
        | task::Event::Replanned { task_id, next, .. },
    ) = event
    else {
        return Vec::new();
    };
    let take = |next: &task::NextSlot| Action {
        name: "take-slot".to_owned(),
        due_at: Some(*next.due_at),
        // A task waits for one slot, which is the one that was named last.
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
    use tidemark_events::samples::{TASK, at};

    use super::*;
    use crate::given::sample;

    #[test]
    fn each_slot_is_taken_when_it_is_due() {
        let [action] = &react(&sample("task.defined"))[..] else {
            panic!("one action");
        };
        assert_eq!(action.due_at, Some(at(60)));
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
}
