//! Watches how far each shard and each reactor is, and who runs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::stack::Stack;
use crate::wait::wait_until;

/// How long anything may stand still while projectors join and leave.
pub(super) const STANDSTILL: Duration = Duration::from_secs(5);

/// How often everything is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Longer than it takes until all projectors know that one has joined or left, and those have stopped that are to hand
/// over: if everything runs and nothing was taken for so long, nothing will be.
const CALM: Duration = Duration::from_secs(3);

/// All that projectors run, but for generations that are only kept: a kept one stands still if the build that
/// made it is gone.
const ASSIGNMENTS: &str = "
    with assignments as (
        select format('projection:%s:%s:%s', read_model, generation, shard) as lease, position
          from checkpoints
          join generations
         using (read_model, generation)
         where state in ('building', 'ready', 'serving')
         union all
        select 'reactor:' || name, position
          from reactors
    )
    select a.lease,
           a.position,
           h.position as head,
           l.epoch,
           l.expires_at > clock_timestamp() as is_held
      from assignments a
     cross join log_head h
      join leases l
        on l.name = a.lease
";

/// The watch. It ends when this is dropped.
pub(super) struct Shards {
    seen: Arc<Mutex<Seen>>,
    watching: AbortOnDropHandle<()>,
}

/// What is done to projectors, and what may come of it.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// What was done, as in "the last projector left".
    pub(super) name: &'static str,
    /// How often each assignment may be taken: once for each projector that joins or leaves.
    pub(super) takes_max: i64,
    /// How long anything may stand still while commands come.
    pub(super) standstill_max: Duration,
}

/// What was seen so far.
struct Seen {
    assignments: BTreeMap<String, Assignment>,
    step: Step,
    /// When an assignment was last taken.
    taken_at: Instant,
    /// The beginning of the names of those that nobody need run any more.
    given_up: Option<&'static str>,
    /// What must not happen.
    faults: Vec<String>,
    /// The longest standstill.
    longest: Duration,
}

/// Something that a projector runs.
struct Assignment {
    position: i64,
    moved_at: Instant,
    /// The term of its lease.
    epoch: i64,
    is_held: bool,
    /// How often it was taken in this step.
    takes: i64,
}

/// What one look finds of an assignment.
#[derive(sqlx::FromRow)]
struct Found {
    lease: String,
    position: i64,
    head: i64,
    epoch: i64,
    is_held: bool,
}

impl Shards {
    /// Begins to watch, in a first step.
    pub(super) fn watch(stack: &Stack, first: Step) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            assignments: BTreeMap::new(),
            step: first,
            taken_at: Instant::now(),
            given_up: None,
            faults: Vec::new(),
            longest: Duration::ZERO,
        }));
        let watching = tokio::spawn(look_again(stack.pool.clone(), Arc::clone(&seen)));
        Self {
            seen,
            watching: AbortOnDropHandle::new(watching),
        }
    }

    /// Begins a step.
    pub(super) fn begin(&self, step: Step) {
        let mut seen = self.seen.lock().unwrap();
        seen.step = step;
        for assignment in seen.assignments.values_mut() {
            assignment.takes = 0;
        }
    }

    /// Waits until everything runs and nothing is handed over any more.
    pub(super) async fn settle(&self) {
        let began = Instant::now();
        wait_until("everything runs, and nothing is handed over", || async {
            let seen = self.seen.lock().unwrap();
            let all_run = seen.assignments.values().all(|it| it.is_held);
            all_run && seen.taken_at.max(began).elapsed() > CALM
        })
        .await;
    }

    /// From now on nobody need run what has a name that begins like this.
    pub(super) fn give_up(&self, prefix: &'static str) {
        self.seen.lock().unwrap().given_up = Some(prefix);
    }

    /// Fails if anything stood still or was handed over without need; returns the longest standstill.
    pub(super) fn assert_moved(self) -> Duration {
        drop(self.watching);
        let seen = self.seen.lock().unwrap();
        assert!(seen.faults.is_empty(), "{:?}", seen.faults);
        seen.longest
    }
}

async fn look_again(pool: PgPool, seen: Arc<Mutex<Seen>>) {
    loop {
        let found: Vec<Found> = sqlx::query_as(ASSIGNMENTS).fetch_all(&pool).await.unwrap();
        seen.lock().unwrap().add(found);
        sleep(LOOK).await;
    }
}

impl Seen {
    fn add(&mut self, found: Vec<Found>) {
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.assignments);
        for found in found {
            let given_up = self.given_up.is_some_and(|it| found.lease.starts_with(it));
            if given_up {
                continue;
            }
            let known = before.remove(&found.lease);
            let mut assignment = known.unwrap_or(Assignment {
                position: found.position,
                moved_at: now,
                epoch: found.epoch,
                is_held: found.is_held,
                takes: 0,
            });
            self.judge(&mut assignment, &found, now);
            self.assignments.insert(found.lease, assignment);
        }
    }

    fn judge(&mut self, assignment: &mut Assignment, found: &Found, now: Instant) {
        let (lease, step) = (&found.lease, self.step);
        if found.position > assignment.position || found.position >= found.head {
            assignment.moved_at = now;
        }
        let stands = now - assignment.moved_at;
        self.longest = self.longest.max(stands);
        if stands > step.standstill_max {
            let name = step.name;
            self.faults
                .push(format!("{lease} stood still for {stands:?} when {name}"));
            assignment.moved_at = now;
        }
        if found.epoch > assignment.epoch {
            self.taken_at = now;
            assignment.takes += found.epoch - assignment.epoch;
            let (takes, most, name) = (assignment.takes, step.takes_max, step.name);
            if takes > most {
                self.faults.push(format!(
                    "{lease} was taken {takes} times when {name}, not at most {most} times"
                ));
            }
        }
        assignment.position = found.position;
        assignment.epoch = found.epoch;
        assignment.is_held = found.is_held;
    }
}
