//! The runs of a task that are not over. Each takes a place of the task, of which there is one, or ten if its runs may overlap.

use tidemark_events::TaskRunId;
use tidemark_events::tasks::task::Overlap;

use super::Terms;
use crate::tasks::task_run;
use crate::{Stop, View, Write};

/// The most runs of one task that go on at once where they may overlap.
const RUNS_MAX: u32 = 10;

impl Terms {
    /// The place that another run may take; `None` if as many go on as may.
    pub(super) fn place_of_run(&self) -> Option<u32> {
        let overlap = self.plan.as_ref().map(|it| it.overlap);
        match overlap.unwrap_or_default() {
            Overlap::Allow => {
                let is_free = |place: &u32| self.open_runs.iter().all(|it| it.place != *place);
                (0..RUNS_MAX).find(is_free)
            }
            Overlap::Skip | Overlap::BufferOne => self.open_runs.is_empty().then_some(0),
        }
    }

    /// The writes that cancel the runs, but for one that ends of itself.
    pub(crate) fn cancelling(
        &self,
        view: &View<'_>,
        ended: Option<TaskRunId>,
    ) -> Result<Vec<Write>, Stop> {
        let runs = self.open_runs.iter().map(|run| run.id);
        let runs = runs.filter(|id| Some(*id) != ended);
        let cancel = |id| task_run::cancellation(view, id, self.id, self.owner_id);
        runs.map(cancel).collect()
    }
}
