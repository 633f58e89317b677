//! What there is to run at one moment, who runs it, and which projectors there are.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgPool;
use tidemark_read_models::{Generation, Shard};
use uuid::Uuid;

use super::assignment::Assignment;
use super::presence;

/// What there is to run at one moment, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Everything that projectors run.
    pub(super) tasks: Vec<Task>,
    /// The projectors that run, each with what it can run; `None` if its build does not say.
    pub(super) projectors: BTreeMap<Uuid, Option<BTreeSet<String>>>,
}

/// An assignment and the process that holds its lease, if any does.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) assignment: Assignment,
    /// Whether it is a shard of a generation that is only kept for a rollback. The build that made it may be gone.
    pub(super) is_kept: bool,
    pub(super) holder: Option<Uuid>,
}

impl Snapshot {
    /// Reads it from the database.
    ///
    /// # Errors
    /// If Postgres fails.
    pub(crate) async fn read(pool: &PgPool) -> sqlx::Result<Self> {
        let mut tasks = shards(pool).await?;
        tasks.extend(reactors(pool).await?);
        Ok(Self {
            tasks,
            projectors: presence::projectors(pool).await?,
        })
    }

    /// Whether a projector runs whose build does not say what it can run.
    pub(super) fn is_silent(&self, projector: Uuid) -> bool {
        matches!(self.projectors.get(&projector), Some(None))
    }

    /// The projectors that can run a task. One whose build does not say what it can run keeps what it has.
    pub(super) fn able<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = Uuid> + 'a {
        let ability = task.assignment.ability();
        let able = self
            .projectors
            .iter()
            .filter(move |(projector, abilities)| {
                let abilities = abilities.as_ref();
                abilities.map_or(task.holder == Some(**projector), |it| it.contains(&ability))
            });
        able.map(|(projector, _)| *projector)
    }

    /// Whether a projector besides this one has an ability.
    pub(super) fn has_other(&self, ability: &str, this_projector: Uuid) -> bool {
        let mut projectors = self.projectors.iter();
        projectors.any(|(projector, abilities)| {
            let mut abilities = abilities.iter().flatten();
            *projector != this_projector && abilities.any(|it| it == ability)
        })
    }

    /// All assignments, by the names of their leases.
    pub(super) fn assignments(&self) -> BTreeMap<String, &Assignment> {
        let assignments = self.tasks.iter().map(|task| &task.assignment);
        assignments.map(|it| (it.lease(), it)).collect()
    }

    /// The assignments whose leases nobody holds.
    pub(super) fn free(&self) -> impl Iterator<Item = &Assignment> {
        let free = self.tasks.iter().filter(|task| task.holder.is_none());
        free.map(|task| &task.assignment)
    }

    /// What no running projector can run, although it is needed.
    pub(crate) fn beyond_all(&self) -> impl Iterator<Item = &Assignment> {
        let beyond_all = |task: &&Task| !task.is_kept && self.able(task).next().is_none();
        self.tasks
            .iter()
            .filter(beyond_all)
            .map(|task| &task.assignment)
    }
}

/// The shards of all generations that are kept up to date.
async fn shards(pool: &PgPool) -> sqlx::Result<Vec<Task>> {
    let shards = sqlx::query!(
        r#"
        select g.read_model,
               g.generation,
               g.fold_version,
               c.shard,
               g.shards as "shards!",
               g.state = 'kept' as "is_kept!",
               l.holder as "holder?"
          from generations g
          join checkpoints c
         using (read_model, generation)
          left join leases l
            on l.name = format('projection:%s:%s:%s', g.read_model, g.generation, c.shard)
           and l.expires_at > clock_timestamp()
         where g.state <> 'dropped'
           and g.shards is not null
           and not g.paused
        "#
    )
    .fetch_all(pool)
    .await?;
    let shards = shards.into_iter().map(|row| Task {
        assignment: Assignment::Shard {
            read_model: row.read_model,
            generation: Generation {
                number: row.generation,
                fold_version: row.fold_version,
            },
            shard: Shard {
                number: row.shard,
                count: row.shards,
            },
        },
        is_kept: row.is_kept,
        holder: row.holder,
    });
    Ok(shards.collect())
}

async fn reactors(pool: &PgPool) -> sqlx::Result<Vec<Task>> {
    let reactors = sqlx::query!(
        r#"
        select r.name,
               l.holder as "holder?"
          from reactors r
          left join leases l
            on l.name = 'reactor:' || r.name
           and l.expires_at > clock_timestamp()
        "#
    )
    .fetch_all(pool)
    .await?;
    let reactors = reactors.into_iter().map(|row| Task {
        assignment: Assignment::Reactor(row.name),
        is_kept: false,
        holder: row.holder,
    });
    Ok(reactors.collect())
}
