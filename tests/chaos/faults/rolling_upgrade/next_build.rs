//! The next build: its programs, what its deployment migrates, and what it makes of the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgPool};
use tidemark_tests::Process as Tool;

use crate::faults::Outcome;
use crate::stack::{Process, Stack};
use crate::supervisor::Program;
use crate::wait::wait_until;

/// The read model whose fold is another one in the next build.
pub(super) const CHANGED: &str = "auction";
/// What the leases of the new read model's shards begin with.
pub(super) const NEW_SHARDS: &str = "projection:stream_length:";
/// The directory of its programs, beside those of the build that is tested.
const BINARIES: &str = "next-build";

/// What a migration of the next build would do.
const MIGRATION: &str = "
    create table stream_length_rows (
        generation integer not null,
        id         uuid    not null,
        doc        json    not null,
        position   bigint  not null,
        primary key (generation, id)
    ) partition by list (generation);
    create table stream_length_rows_1 partition of stream_length_rows for values in (1);
    insert into generations (read_model, generation, state, fold_version) values ('stream_length', 1, 'serving', 1);
    insert into checkpoints (read_model, generation) values ('stream_length', 1);
    grant select, insert, update, delete on stream_length_rows to tidemark_project;
    grant select on stream_length_rows to tidemark_append, tidemark_read;
";

/// The opposite, once no projector of the next build runs. It does nothing where nothing was made.
const REMOVAL: &str = "
    drop table if exists stream_length_rows;
    delete from checkpoints where read_model = 'stream_length';
    delete from generations where read_model = 'stream_length';
    delete from generations where read_model = 'auction' and fold_version = 2;
    delete from leases where name like 'projection:stream_length:%';
";

/// Streams of which the new read model has not what the log has, up to where it has applied the log.
const WRONG_LENGTHS: &str = "
    with applied as (
        select min(position) as position
          from checkpoints
         where read_model = 'stream_length'
    ), expected as (
        select stream_id, count(*) as events, max(e.position) as position
          from events e, applied
         where e.position <= applied.position
         group by stream_id
    )
    select coalesce(e.stream_id, r.id)::text
      from expected e
      full join stream_length_rows r
        on r.id = e.stream_id
       and (r.doc ->> 'events')::bigint = e.events
       and r.position = e.position
     where e.stream_id is null
        or r.id is null
";

/// Auctions of which the generations of the two folds differ in anything but the letters of the title, up to where
/// both have applied the log.
const WRONG_AUCTIONS: &str = "
    with applied as (
        select min(c.position) as position
          from checkpoints c
          join generations g
         using (read_model, generation)
         where g.read_model = 'auction'
           and g.state in ('serving', 'kept')
    ), old as (
        select r.*
          from auction_rows r
          join generations g
            on g.generation = r.generation
         where g.read_model = 'auction'
           and g.state = 'serving'
    ), new as (
        select r.*
          from auction_rows r
          join generations g
            on g.generation = r.generation
         where g.read_model = 'auction'
           and g.fold_version = 2
    )
    select coalesce(old.id, new.id)::text
      from applied, old
      full join new
        on new.id = old.id
     where coalesce(old.position, 0) <= applied.position
       and coalesce(new.position, 0) <= applied.position
       and (old.id is null
            or new.id is null
            or new.position <> old.position
            or new.doc::jsonb <> jsonb_set(old.doc::jsonb, '{title}', to_jsonb(upper(old.doc ->> 'title'))))
";

/// The next build, beside the one that is tested.
pub(super) struct NextBuild {
    stack: Arc<Stack>,
    binaries: PathBuf,
}

impl NextBuild {
    /// The one that stands beside the programs of the stack, if it was built.
    pub(super) fn beside(stack: &Arc<Stack>) -> Result<Self, Outcome> {
        let binaries = stack.paths.binaries.join(BINARIES);
        if !binaries.exists() {
            let binaries = binaries.display();
            return Err(Outcome::Skipped(format!(
                "{binaries} is not built: run ./dev chaos"
            )));
        }
        Ok(Self {
            stack: Arc::clone(stack),
            binaries,
        })
    }

    /// Has a process run its program in the next build.
    pub(super) fn replace(&self, program: &mut Program) {
        run_from(&self.binaries, program);
    }

    /// The program of a process in the build that is tested.
    pub(super) fn old_program(&self, process: &Process) -> Program {
        let mut program = process.supervised.program();
        run_from(&self.stack.paths.binaries, &mut program);
        program
    }

    /// Makes the table of the new read model, as a deployment does before the first process of it starts.
    pub(super) async fn migrate(&self) {
        self.execute_as_owner(MIGRATION).await;
    }

    /// Whether queries read the rows of its fold.
    pub(super) async fn serves(&self) -> bool {
        let sql =
            "select state = 'serving' from generations where read_model = $1 and fold_version = 2";
        let serves = sqlx::query_scalar(sql)
            .bind(CHANGED)
            .fetch_optional(&self.stack.pool)
            .await;
        serves.unwrap().unwrap_or(false)
    }

    /// Fails if its read models are not what the log makes of them. Both builds must run.
    pub(super) async fn assert_rows(&self) {
        for wrong in [WRONG_LENGTHS, WRONG_AUCTIONS] {
            let wrong: Vec<String> = sqlx::query_scalar(wrong)
                .fetch_all(&self.stack.pool)
                .await
                .unwrap();
            assert!(
                wrong.is_empty(),
                "rows of the next build are wrong: {wrong:?}"
            );
        }
    }

    /// Lets the old fold serve again as operators do, as soon as a projector of the old build has caught up.
    pub(super) async fn roll_back(&self) {
        let settings = self.stack.settings.as_service("operator");
        let order = ["rollback", CHANGED, "--reason", "It was a test."];
        wait_until("the old fold serves again", || async {
            let rolled_back = Tool::operators_tool(&settings, &order).await;
            rolled_back.status.success()
        })
        .await;
    }

    /// Removes what it has made, if anything, so that the database is as if it had never run. A projector of the old
    /// build must run, and none of the next one.
    pub(super) async fn remove(&self) {
        if self.serves().await {
            self.roll_back().await;
        }
        let sql = "select drop_generation($1, generation) from generations where read_model = $1 and fold_version = 2";
        let dropped = sqlx::query(sql).bind(CHANGED).execute(&self.stack.pool);
        dropped.await.unwrap();
        wait_until("the rows of the new fold are deleted", || async {
            self.is_deleted().await
        })
        .await;
        self.execute_as_owner(REMOVAL).await;
    }

    async fn is_deleted(&self) -> bool {
        let sql = "
            select not exists (
                select
                  from checkpoints
                  join generations
                 using (read_model, generation)
                 where read_model = $1
                   and fold_version = 2)";
        let is_deleted = sqlx::query_scalar(sql).bind(CHANGED);
        is_deleted.fetch_one(&self.stack.pool).await.unwrap()
    }

    async fn execute_as_owner(&self, sql: &'static str) {
        let owner = self.stack.postgres.url("tidemark_owner");
        let owner = PgPool::connect(&owner).await.unwrap();
        let executed = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&owner);
        executed.await.unwrap();
        owner.close().await;
    }
}

/// Has a process run its program from another directory.
fn run_from(binaries: &Path, program: &mut Program) {
    let name = Path::new(&program.command[0]).file_name().unwrap();
    program.command[0] = binaries.join(name).display().to_string();
}
