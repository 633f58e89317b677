//! Process managers, and what follows from one event by one of them.

use tidemark_domain::{PROCESS_MANAGERS, ProcessManager};
use tidemark_events::Recorded;
use tidemark_read_models::EventFilter;

use super::actions::CausedAction;
use crate::following::failure::EventError;
use crate::following::panics::catch_panic;

/// The process manager of this reactor; none if only a newer build has it.
pub(super) fn process_manager(reactor: &str) -> Option<&'static ProcessManager> {
    PROCESS_MANAGERS.iter().find(|it| it.name == reactor)
}

/// The actions that follow from an event.
///
/// # Errors
/// If the event cannot be read, or the process manager panics.
pub(super) fn react(
    process_manager: &ProcessManager,
    recorded: &Recorded,
) -> Result<Vec<CausedAction>, EventError> {
    let input = EventFilter::Types(process_manager.event_types).fold_input(recorded)?;
    let Some(event) = input.and_then(|input| input.event) else {
        return Ok(Vec::new());
    };
    let metadata = recorded
        .metadata()
        .map_err(|error| EventError::Failed(format!("the metadata cannot be read: {error}")))?;
    let actions = catch_panic("process manager", || (process_manager.react)(&event))
        .map_err(EventError::Failed)?;
    let caused = |action| CausedAction {
        action,
        position: recorded.position,
        event_id: recorded.event_id,
        correlation_id: metadata.correlation_id,
    };
    Ok(actions.into_iter().map(caused).collect())
}
