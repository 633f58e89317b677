//! Compares generations that are built with those that serve, lets them serve, and drops those that are no longer
//! kept. Workers build and follow generations of all states alike, so nothing here reads the log.

use std::time::{Duration, Instant};

use metrics::counter;
use tidemark_event_store::{Lease, Leases, TimedPool};
use tidemark_platform::config::{Database, Rebuild};
use tidemark_read_models::building;
use tidemark_read_models::comparison::{Compared, Comparison};
use tidemark_read_models::redis::Documents;
use tokio_util::sync::CancellationToken;

use super::deployment;
use super::dropping::delete_dropped;
use crate::projecting::shards::ShardCounts;

/// The lease of the projector that does this.
const LEASE: &str = "rebuilds";
/// How often the lease is renewed while it lasts.
const RENEWALS_PER_LEASE: u32 = 3;

/// Does for all read models what is due.
pub(crate) struct Controller {
    pub(crate) pool: TimedPool,
    /// `None` if Redis is not used.
    pub(crate) documents: Option<Documents>,
    pub(crate) leases: Leases,
    /// The number of shards that the configuration wants.
    pub(crate) shards: ShardCounts,
    pub(crate) settings: Rebuild,
    pub(crate) database: Database,
}

/// A generation for which something is due.
#[derive(Debug)]
struct Due {
    read_model: String,
    generation: i32,
    state: String,
    shards: i32,
    serving: i32,
    /// Whether its rows must be those of the generation that serves: the same fold makes both, and the one that
    /// serves does not stand still.
    is_comparable: bool,
    expects_changes: bool,
    dry_run: bool,
}

impl Controller {
    /// Does what is due until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let tick = Duration::from_millis(self.settings.tick_ms);
        let ticking = async {
            let mut deletes_from = Instant::now();
            loop {
                if let Err(error) = self.step(&mut deletes_from).await {
                    tracing::warn!(%error, "generations cannot be compared, switched or dropped; this is tried again");
                }
                tokio::time::sleep(tick).await;
            }
        };
        stop.run_until_cancelled(ticking).await;
    }

    /// Does what is due now, unless another projector does. Nothing is deleted before `deletes_from`: a deletion that
    /// queries hold up holds up later queries, and so is not tried again at once.
    async fn step(&self, deletes_from: &mut Instant) -> sqlx::Result<()> {
        deployment::begin_lost_builds_anew(&self.pool).await?;
        if !deployment::begin_generations(&self.pool, &self.shards).await? {
            return Ok(());
        }
        let mut due = self.pool.with_timeout(self.due()).await?;
        due.retain(|it| !it.is_to_be_deleted() || Instant::now() >= *deletes_from);
        if due.is_empty() {
            return Ok(());
        }
        let Some(lease) = self.leases.take(LEASE).await? else {
            return Ok(());
        };
        tokio::select! {
            () = self.advance_all(due, deletes_from) => self.leases.release([&lease]).await,
            () = self.renew_until_lost(&lease) => {
                tracing::warn!("the lease is lost, and another projector goes on");
                Ok(())
            }
        }
    }

    /// Renews the lease for as long as that succeeds.
    async fn renew_until_lost(&self, lease: &Lease) {
        let lasts = Duration::from_millis(self.settings.lease_ms);
        let mut renewed_at = Instant::now();
        loop {
            tokio::time::sleep(lasts / RENEWALS_PER_LEASE).await;
            match self.leases.renew(lease).await {
                Ok(true) => renewed_at = Instant::now(),
                Err(error) if renewed_at.elapsed() < lasts => {
                    tracing::warn!(%error, "the lease cannot be renewed");
                }
                Ok(false) | Err(_) => return,
            }
        }
    }

    async fn advance_all(&self, due: Vec<Due>, deletes_from: &mut Instant) {
        for due in due {
            let Err(error) = Box::pin(self.advance(&due)).await else {
                continue;
            };
            let Due {
                read_model,
                generation,
                ..
            } = &due;
            tracing::warn!(read_model, generation, %error, "the generation waits; this is tried again");
            if due.is_to_be_deleted() {
                *deletes_from = Instant::now() + Duration::from_millis(self.settings.drop_retry_ms);
            }
        }
    }

    /// The generations that are built as far as the one that serves and not compared yet, with no order about a parked row
    /// left to be carried out; that are ready to serve; that have been kept for long enough, or that have applied events which the log has lost; or that are dropped, and that
    /// nobody writes any more.
    async fn due(&self) -> sqlx::Result<Vec<Due>> {
        sqlx::query_as!(
            Due,
            r#"
            select g.read_model,
                   g.generation,
                   g.state,
                   coalesce(g.shards, 1) as "shards!",
                   s.generation as serving,
                   g.fold_version = s.fold_version and not exists (
                       select
                         from checkpoints c
                        where c.read_model = s.read_model
                          and c.generation = s.generation
                          and (c.blocked is not null or not c.in_log)
                   ) as "is_comparable!",
                   g.expects_changes,
                   g.dry_run
              from generations g
              join generations s
                on s.read_model = g.read_model
               and s.state = 'serving'
             where (g.state = 'ready' and (g.dry_run or can_serve(g.read_model, g.generation, $1)))
                or (g.state = 'kept'
                    and (g.state_since < clock_timestamp() - make_interval(secs => $2)
                         or holds_lost_events(g.read_model, g.generation)))
                or (g.state = 'building'
                    and not g.paused
                    and g.comparison is null
                    and is_level(g.read_model, g.generation, $1)
                    and (select min(c.position)
                           from checkpoints c
                          where c.read_model = g.read_model
                            and c.generation = g.generation)
                        >= (select coalesce(min(c.position), 0)
                              from checkpoints c
                             where c.read_model = s.read_model
                               and c.generation = s.generation
                               and c.in_log)
                    and not exists (
                        select
                          from parked p
                         where p.read_model = g.read_model
                           and p.generation = g.generation
                           and p.tried_by = ''))
                or (g.state = 'dropped'
                    and exists (
                        select
                          from checkpoints c
                         where c.read_model = g.read_model
                           and c.generation = g.generation)
                    and not exists (
                        select
                          from leases l
                         where starts_with(l.name, format('projection:%s:%s:', g.read_model, g.generation))
                           and l.expires_at > clock_timestamp()))
            "#,
            i64::from(self.settings.level_events),
            f64::from(self.settings.kept_s),
        )
        .fetch_all(&*self.pool)
        .await
    }

    async fn advance(&self, due: &Due) -> sqlx::Result<()> {
        let (read_model, generation) = (due.read_model.as_str(), due.generation);
        if due.is_to_be_deleted() {
            let (documents, rows_max) = (self.documents.as_ref(), self.settings.delete_rows_max);
            let generation = (read_model, generation);
            return delete_dropped(&self.pool, documents, generation, (due.shards, rows_max)).await;
        }
        if due.is_to_be_dropped() {
            let dropped = building::drop(&self.pool, read_model, generation);
            if self.pool.with_timeout(dropped).await? {
                tracing::info!(read_model, generation, "the generation is dropped");
            }
            return Ok(());
        }
        if due.state == "building" {
            return self.finish(due).await;
        }
        let level_events = self.settings.level_events;
        let serves = building::serve(&self.pool, (read_model, generation), level_events);
        if self.pool.with_timeout(serves).await? {
            counter!("tidemark_rebuild_switches_total").increment(1);
            tracing::info!(read_model, generation, "the generation serves");
        }
        Ok(())
    }

    /// Makes a generation that has reached the end of the log ready, unless its rows should be those of the one
    /// that serves and are not.
    async fn finish(&self, due: &Due) -> sqlx::Result<()> {
        let compared = match self.compare(due).await {
            Err(error) if due.expects_changes => {
                tracing::warn!(read_model = due.read_model, %error, "what changes is not known");
                None
            }
            compared => compared?,
        };
        let is_equal = compared.as_ref().is_none_or(Compared::is_equal);
        if let Some(compared) = compared
            .as_ref()
            .filter(|_| !is_equal && !due.expects_changes)
        {
            if compared.is_undecided() && self.may_compare_again(due, compared).await? {
                return Ok(());
            }
            report(due, compared);
        }
        let finished = building::finish(
            &self.pool,
            (&due.read_model, due.generation),
            compared.as_ref(),
            is_equal || due.expects_changes || due.dry_run,
        );
        self.pool.with_timeout(finished).await
    }

    /// Whether a generation whose rows could not all be compared is to be compared once more.
    async fn may_compare_again(&self, due: &Due, compared: &Compared) -> sqlx::Result<bool> {
        let counted = building::count_undecided(&self.pool, (&due.read_model, due.generation));
        let attempt = self.pool.with_timeout(counted).await?;
        let attempts_max = self.settings.compare_attempts_max;
        // A build that was paused or dropped meanwhile is left alone.
        let is_again = attempt.is_none_or(|attempt| attempt.unsigned_abs() < attempts_max);
        if is_again {
            tracing::info!(
                read_model = due.read_model,
                generation = due.generation,
                attempt,
                undecided_rows = compared.undecided_rows,
                undecided = ?compared.undecided.first(),
                "rows could not be compared; all are compared again"
            );
        }
        Ok(is_again)
    }

    async fn compare(&self, due: &Due) -> sqlx::Result<Option<Compared>> {
        if !due.is_comparable {
            return Ok(None);
        }
        let comparison = Comparison {
            read_model: &due.read_model,
            serving: due.serving,
            built: due.generation,
            page_rows: self.settings.compare_rows_max.into(),
            looks_max: self.settings.compare_looks_max,
            pause: Duration::from_millis(self.settings.compare_pause_ms),
            listed_max: self.settings.differences_max,
            response_timeout: self.database.response_timeout(),
        };
        comparison.run(&self.pool).await.map(Some)
    }
}

/// Tells operators that a generation does not serve because of what a comparison found.
fn report(due: &Due, compared: &Compared) {
    let (read_model, generation) = (due.read_model.as_str(), due.generation);
    if compared.is_undecided() {
        let undecided_rows = compared.undecided_rows;
        tracing::error!(
            read_model, generation, undecided_rows, undecided = ?compared.undecided,
            "rows of the generation could not be compared, and it does not serve; `resume` compares them anew"
        );
    } else {
        let different_rows = compared.different_rows;
        tracing::error!(
            read_model,
            generation,
            different_rows,
            "the generation has other rows than the one that serves, and does not serve"
        );
    }
}

impl Due {
    /// Whether nobody needs it any more.
    fn is_to_be_dropped(&self) -> bool {
        self.state == "kept" || (self.state == "ready" && self.dry_run)
    }

    /// Whether nothing is left to do for it but to delete it.
    fn is_to_be_deleted(&self) -> bool {
        self.state == "dropped"
    }
}
