//! Each run is called at its own URL under its own id, ends, and has its calls on record.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use tidemark_events::tasks::{task, task_run};
use tidemark_events::{Event, Recorded};
use uuid::Uuid;

use crate::journal::Entry;
use crate::servers::receiver::ReceivedCall;

/// The most calls that one process makes of one host at once: `reactor.destination_in_flight_max`. So many are made again if it
/// dies.
const IN_FLIGHT_MAX: usize = 8;
/// Longer than a run takes that died with a projector, and whose host is left alone then.
const OPEN_MAX: TimeDelta = TimeDelta::minutes(4);

/// [`super::super::CALL_LOST_OR_REPEATED`]: calls that are of no run, or of a run of another task; runs without a slot or with
/// several; runs that did not end, or too late; calls that are not on record, or that are and did not arrive; and calls that
/// arrived more often than a crash in each fault explains.
pub(crate) fn lost_or_repeated(
    journal: &[Entry],
    log: &[Recorded],
    received: &[ReceivedCall],
) -> Vec<String> {
    let count = |is: fn(&Entry) -> bool| journal.iter().filter(|entry| is(entry)).count();
    let faults = count(|it| matches!(it, Entry::FaultBegins { .. }));
    let is_whole = count(|it| matches!(it, Entry::LogSetBack { .. })) == 0;
    let (mut runs, mut violations) = runs(log);
    for call in received {
        match runs.get_mut(&call.run_id) {
            Some(run) if run.task == call.task => run.calls += 1,
            Some(run) => {
                let (id, task, other) = (call.run_id, &call.task, &run.task);
                violations.push(format!("run {id} of {other} called {task}"));
            }
            // The run may have been lost with the end of the log.
            None if !is_whole => {}
            None => {
                let (id, task) = (call.run_id, &call.task);
                violations.push(format!("{task} was called under {id}, which is no run"));
            }
        }
    }
    for (id, run) in &runs {
        let problems = run.problems(faults);
        violations.extend(problems.map(|it| format!("run {id} of {}: {it}", run.task)));
    }
    let repeated: usize = runs.values().map(Run::repeated).sum();
    let hosts = runs.values().map(|it| &it.host);
    let hosts = hosts.collect::<std::collections::BTreeSet<_>>().len();
    if repeated > faults * IN_FLIGHT_MAX * hosts {
        violations.push(format!("{repeated} calls came again in {faults} faults"));
    }
    violations
}

/// What the log and the receivers say of a run.
struct Run {
    /// The name of the task.
    task: String,
    host: String,
    slots: usize,
    requested_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    ends: usize,
    is_cancelled: bool,
    /// The attempts that are on record.
    attempts: usize,
    /// Those of them that were answered.
    answered: usize,
    /// The calls that arrived.
    calls: usize,
}

impl Run {
    /// The calls that arrived besides those on record.
    const fn repeated(&self) -> usize {
        // The last call of a run that was cancelled is not recorded.
        let recorded = self.attempts + if self.is_cancelled { 1 } else { 0 };
        self.calls.saturating_sub(recorded)
    }

    fn problems(&self, faults: usize) -> impl Iterator<Item = String> {
        let Self {
            slots,
            ends,
            attempts,
            answered,
            calls,
            ..
        } = self;
        let open_for = self.ended_at.map(|at| at - self.requested_at);
        let problems = [
            (*slots != 1).then(|| format!("{slots} slots were taken for it")),
            (*ends != 1).then(|| format!("it ended {ends} times")),
            open_for
                .filter(|it| *it > OPEN_MAX)
                .map(|it| format!("it was open for {} s", it.num_seconds())),
            (calls < answered)
                .then(|| format!("{answered} answers are on record, and {calls} calls arrived")),
            (*calls > 0 && *attempts == 0 && !self.is_cancelled)
                .then(|| format!("{calls} calls arrived, and none is on record")),
            (self.repeated() > faults)
                .then(|| format!("{calls} calls arrived, and {attempts} are on record")),
        ];
        problems.into_iter().flatten()
    }
}

/// All runs by the log alone, and what is wrong with what it says of them.
fn runs(log: &[Recorded]) -> (BTreeMap<Uuid, Run>, Vec<String>) {
    let mut names = BTreeMap::new();
    let mut slots = BTreeMap::<_, usize>::new();
    let mut runs = BTreeMap::<Uuid, Run>::new();
    let mut violations = Vec::new();
    for recorded in log {
        let at = recorded.recorded_at;
        match recorded.decode() {
            Ok(Event::Task(task::Event::Defined { task_id, name, .. })) => {
                names.insert(task_id, name.as_str().to_owned());
            }
            Ok(Event::Task(task::Event::SlotTaken { run_id, .. })) => {
                *slots.entry(run_id.0).or_default() += 1;
            }
            Ok(Event::TaskRun(task_run::Event::Requested {
                task_run_id,
                task_id,
                host,
                ..
            })) => {
                let run = Run {
                    task: names.get(&task_id).cloned().unwrap_or_default(),
                    host: host.as_str().to_owned(),
                    slots: slots.remove(&task_run_id.0).unwrap_or_default(),
                    requested_at: at,
                    ended_at: None,
                    ends: 0,
                    is_cancelled: false,
                    attempts: 0,
                    answered: 0,
                    calls: 0,
                };
                runs.insert(task_run_id.0, run);
            }
            Ok(Event::TaskRun(event)) => {
                let changed = runs.get_mut(&recorded.stream_id);
                let problem = changed.and_then(|run| run.apply(&event, at));
                violations
                    .extend(problem.map(|it| format!("position {}: {it}", recorded.position)));
            }
            _ => {}
        }
    }
    let runless = slots.keys();
    violations.extend(runless.map(|id| format!("a slot was taken for {id}, which is no run")));
    (runs, violations)
}

impl Run {
    /// Takes note of an event after the request, and returns what is wrong with it.
    fn apply(&mut self, event: &task_run::Event, at: DateTime<Utc>) -> Option<String> {
        match event {
            task_run::Event::Attempted {
                attempt, status, ..
            } => {
                self.attempts += 1;
                self.answered += usize::from(status.is_some());
                let number = usize::try_from(*attempt).ok();
                return (number != Some(self.attempts)).then(|| {
                    format!("attempt {attempt} is on record as number {}", self.attempts)
                });
            }
            task_run::Event::Cancelled { .. } => self.is_cancelled = true,
            task_run::Event::Succeeded { .. } | task_run::Event::Failed { .. } => {}
            task_run::Event::Requested { .. } => return None,
        }
        self.ends += 1;
        self.ended_at = Some(at);
        None
    }
}
