//! Compares generations that are built with those that serve, lets them serve, and drops those that are no longer
//! kept. Workers build and follow generations of all states alike, so nothing here reads the log.

use std::time::Duration;

use metrics::counter;
use tidemark_event_store::{Leases, TimedPool};
use tidemark_platform::config::Rebuild;
use tidemark_read_models::building;
use tidemark_read_models::comparison::{Compared, Comparison};
use tokio_util::sync::CancellationToken;

/// The lease of the projector that does this.
const LEASE: &str = "rebuilds";

/// Does for all read models what is due.
pub(crate) struct Controller {
    pub(crate) pool: TimedPool,
    pub(crate) leases: Leases,
    pub(crate) settings: Rebuild,
}

/// A generation for which something is due.
#[derive(Debug)]
struct Due {
    read_model: String,
    generation: i32,
    state: String,
    serving: i32,
    /// Whether the same fold makes the rows of the generation that serves, so that they must be the same.
    is_same_fold: bool,
    expects_changes: bool,
    dry_run: bool,
}

impl Controller {
    /// Does what is due until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let tick = Duration::from_millis(self.settings.tick_ms);
        let ticking = async {
            loop {
                tokio::time::sleep(tick).await;
                if let Err(error) = self.step().await {
                    tracing::warn!(%error, "generations cannot be compared, switched or dropped; this is tried again");
                }
            }
        };
        stop.run_until_cancelled(ticking).await;
    }

    /// Does what is due now, unless another projector does.
    async fn step(&self) -> sqlx::Result<()> {
        let due = self.pool.with_timeout(self.due()).await?;
        if due.is_empty() {
            return Ok(());
        }
        let Some(lease) = self.leases.take(LEASE).await? else {
            return Ok(());
        };
        let done = async {
            for generation in due {
                Box::pin(self.advance(generation)).await?;
            }
            Ok(())
        };
        let done = done.await;
        self.leases.release(&lease).await?;
        done
    }

    /// The generations that are built up to the end of the log and not compared yet, that are ready to serve, or
    /// that have been kept for long enough.
    async fn due(&self) -> sqlx::Result<Vec<Due>> {
        sqlx::query_as!(
            Due,
            r#"
            select g.read_model,
                   g.generation,
                   g.state,
                   s.generation as serving,
                   g.fold_version = s.fold_version as "is_same_fold!",
                   g.expects_changes,
                   g.dry_run
              from generations g
              join generations s
                on s.read_model = g.read_model
               and s.state = 'serving'
             where g.state = 'ready'
                or (g.state = 'kept' and g.state_since < clock_timestamp() - make_interval(secs => $2))
                or (g.state = 'building'
                    and not g.paused
                    and g.comparison is null
                    and not exists (
                        select
                          from checkpoints c
                         cross join log_head h
                         where c.read_model = g.read_model
                           and c.generation = g.generation
                           and (c.position < h.position - $1 or c.blocked is not null or not c.in_log)))
            "#,
            i64::from(self.settings.level_events),
            f64::from(self.settings.kept_s),
        )
        .fetch_all(&*self.pool)
        .await
    }

    async fn advance(&self, due: Due) -> sqlx::Result<()> {
        let Due {
            read_model,
            generation,
            dry_run,
            ..
        } = &due;
        match due.state.as_str() {
            "building" => self.finish(&due).await,
            "ready" if !dry_run => {
                let serves = building::serve(&self.pool, read_model, *generation);
                if self.pool.with_timeout(serves).await? {
                    counter!("tidemark_rebuild_switches_total").increment(1);
                    tracing::info!(read_model, generation, "the generation serves");
                }
                Ok(())
            }
            _ => {
                let dropped = building::drop(&self.pool, read_model, *generation);
                if self.pool.with_timeout(dropped).await? {
                    tracing::info!(read_model, generation, "the generation is dropped");
                }
                Ok(())
            }
        }
    }

    /// Makes a generation that has reached the end of the log ready, unless its rows should be those of the one
    /// that serves and are not.
    async fn finish(&self, due: &Due) -> sqlx::Result<()> {
        let compared = if due.is_same_fold {
            let comparison = Comparison {
                read_model: &due.read_model,
                serving: due.serving,
                built: due.generation,
                page_rows: self.settings.compare_rows_max.into(),
                looks_max: self.settings.compare_looks_max,
                pause: Duration::from_millis(self.settings.compare_pause_ms),
                listed_max: self.settings.differences_max,
            };
            Some(comparison.run(&self.pool).await?)
        } else {
            None
        };
        let is_ready = due.expects_changes || compared.as_ref().is_none_or(Compared::is_equal);
        if !is_ready {
            counter!("tidemark_rebuild_differences_total").increment(1);
            tracing::error!(
                read_model = due.read_model,
                generation = due.generation,
                different_rows = compared.as_ref().map(|compared| compared.different_rows),
                "the generation has other rows than the one that serves, and does not serve"
            );
        }
        let finished = building::finish(
            &self.pool,
            (&due.read_model, due.generation),
            compared.as_ref(),
            is_ready,
        );
        self.pool.with_timeout(finished).await
    }
}
