//! How an owner is told that a task was paused.

use super::Raise;
use crate::{Command, Refusal, Stop, View, Write};

/// Notifies the owner of a task that it was paused. It has a name of its own, so that whoever may tell this may not tell anything
/// else. Only a service sends it.
#[derive(Clone, Debug)]
pub struct TellOfPause(pub Raise);

impl Command for TellOfPause {
    fn name(&self) -> &'static str {
        "tell_of_paused_task"
    }

    fn refusals() -> Vec<Refusal> {
        Raise::refusals()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        self.0.decide(view)
    }
}
