//! Measures how far the read models that serve, the reactors and the relay are behind the log, as the database shows
//! it. So what stands still because no process runs it is seen too, and every projector measures the same.

use std::time::Duration;

use metrics::{Gauge, Label, gauge};
use sqlx::PgPool;
use tidemark_event_store::TimedPool;
use tidemark_platform::config::Projection;
use tidemark_platform::telemetry::Series;
use tidemark_read_models::for_each_read_model;
use tidemark_read_models::operations::COUNTED_MAX;
use tokio::time::Instant;

use crate::error::Error;
use crate::projecting::shards::name;

/// Measures all of them, again and again.
pub(crate) struct Measuring {
    pause: Duration,
    measurements: Vec<Measurement>,
}

/// What is measured by one statement. Each is measured whether or not the others can be: a lock on the rows of one is no
/// reason to show old values of another.
#[derive(Clone, Copy)]
enum Subject {
    ReadModels,
    Rebuilds,
    Reactors,
    DueActions,
    GivenUpActions,
    Relay,
}

/// One subject, as it was measured last.
struct Measurement {
    subject: Subject,
    pool: TimedPool,
    /// The series of what was found. What an operator has removed since is measured no more.
    found: Vec<Series>,
    /// When that was, or else since when it could not be measured.
    measured_at: Instant,
    age: Gauge,
}

impl Measuring {
    /// Nothing is measured before [`Self::run`]. The objectives are measurements already.
    ///
    /// # Errors
    /// If an objective is that of a read model that does not exist.
    pub(crate) fn new(pool: &TimedPool, settings: &Projection) -> Result<Self, Error> {
        let known = for_each_read_model!(name());
        let objectives = &settings.lag_objectives_ms;
        if let Some(unknown) = objectives.keys().find(|it| !known.contains(&it.as_str())) {
            return Err(Error::UnknownReadModel(
                "lag_objectives_ms",
                unknown.clone(),
            ));
        }
        for read_model in known {
            let objective = objectives.get(read_model);
            let objective = Duration::from_millis(*objective.unwrap_or(&settings.lag_objective_ms));
            gauge!("tidemark_read_model_lag_objective_seconds", "read_model" => read_model)
                .set(objective.as_secs_f64());
        }
        let measurements = Subject::ALL.map(|it| Measurement::new(it, pool.clone()));
        Ok(Self {
            pause: Duration::from_millis(settings.measure_ms),
            measurements: measurements.into(),
        })
    }

    /// Measures until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            for measurement in &mut self.measurements {
                measurement.renew().await;
            }
            tokio::time::sleep(self.pause).await;
        }
    }
}

impl Measurement {
    fn new(subject: Subject, pool: TimedPool) -> Self {
        let name = subject.name();
        Self {
            subject,
            pool,
            found: Vec::new(),
            measured_at: Instant::now(),
            age: gauge!("tidemark_measurement_age_seconds", "measurement" => name),
        }
    }

    /// Measures it, or shows since when that was not possible.
    async fn renew(&mut self) {
        let measured = self.subject.measure(&self.pool);
        match self.pool.with_timeout(measured).await {
            Ok(found) => {
                self.found = found;
                self.measured_at = Instant::now();
                self.age.set(0.0);
            }
            Err(error) => {
                let measurement = self.subject.name();
                tracing::warn!(measurement, %error, "this cannot be measured");
                self.age.set(self.measured_at.elapsed().as_secs_f64());
            }
        }
    }
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::ReadModels,
        Self::Rebuilds,
        Self::Reactors,
        Self::DueActions,
        Self::GivenUpActions,
        Self::Relay,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::ReadModels => "read_models",
            Self::Rebuilds => "rebuilds",
            Self::Reactors => "reactors",
            Self::DueActions => "due_actions",
            Self::GivenUpActions => "given_up_actions",
            Self::Relay => "relay",
        }
    }

    /// The series of all that is there.
    async fn measure(self, pool: &PgPool) -> sqlx::Result<Vec<Series>> {
        match self {
            Self::ReadModels => read_models(pool).await,
            Self::Rebuilds => rebuilds(pool).await,
            Self::Reactors => reactors(pool).await,
            Self::DueActions => due_actions(pool).await,
            Self::GivenUpActions => given_up_actions(pool).await,
            Self::Relay => relay(pool).await,
        }
    }
}

/// A read model is as far behind as its slowest shard.
async fn read_models(pool: &PgPool) -> sqlx::Result<Vec<Series>> {
    let read_models = sqlx::query!(
        r#"
        select read_model,
               coalesce(extract(epoch from clock_timestamp() - min(next.recorded_at)), 0)::float8 as "lag!"
          from generations
          join checkpoints
         using (read_model, generation)
          left join events next
            on next.position = checkpoints.position + 1
         where state = 'serving'
         group by read_model
        "#
    );
    let read_models = read_models.fetch_all(pool).await?.into_iter();
    let lags = read_models.map(|it| {
        let labels = vec![Label::new("read_model", it.read_model)];
        measured("tidemark_read_model_lag_seconds", labels, it.lag.max(0.0))
    });
    Ok(lags.collect())
}

/// A generation that is built and was compared waits for an operator's decision.
async fn rebuilds(pool: &PgPool) -> sqlx::Result<Vec<Series>> {
    let waiting = sqlx::query!(
        r#"
        select read_model,
               (count(*) filter (where comparison ->> 'different_rows' <> '0'))::float8 as "differ!",
               (count(*) filter (where comparison ->> 'different_rows' = '0'))::float8 as "undecided!"
          from (select read_model,
                       case when state = 'building' then comparison end as comparison
                  from generations
                 where state <> 'dropped') as generations
         group by read_model
        "#
    );
    let waiting = waiting.fetch_all(pool).await?.into_iter();
    let measurements = waiting.flat_map(|it| {
        let read_model = Label::new("read_model", it.read_model);
        let because = |reason, count| {
            let labels = vec![read_model.clone(), Label::new("because", reason)];
            measured("tidemark_rebuild_waiting_generations", labels, count)
        };
        [
            because("differences", it.differ),
            because("undecided", it.undecided),
        ]
    });
    Ok(measurements.collect())
}

async fn reactors(pool: &PgPool) -> sqlx::Result<Vec<Series>> {
    let reactors = sqlx::query!(
        r#"
        select name,
               coalesce(extract(epoch from clock_timestamp() - next.recorded_at), 0)::float8 as "lag!"
          from reactors
          left join events next
            on next.position = reactors.position + 1
        "#
    );
    let reactors = reactors.fetch_all(pool).await?.into_iter();
    let lags = reactors.map(|it| {
        let labels = vec![Label::new("reactor", it.name)];
        measured("tidemark_reactor_lag_seconds", labels, it.lag.max(0.0))
    });
    Ok(lags.collect())
}

async fn due_actions(pool: &PgPool) -> sqlx::Result<Vec<Series>> {
    let reactors = sqlx::query!(
        r#"
        with actions as (
            select reactor,
                   count(*) as due,
                   count(*) filter (where attempts > 0 and outcome is distinct from 'not yet') as failing
              from reactor_actions
             where done_at is null
               and due_at <= statement_timestamp()
             group by reactor
        )
        select name,
               coalesce(actions.due - actions.failing, 0)::float8 as "waiting!",
               coalesce(actions.failing, 0)::float8 as "failing!"
          from reactors
          left join actions
            on actions.reactor = name
        "#
    );
    let reactors = reactors.fetch_all(pool).await?.into_iter();
    let measurements = reactors.flat_map(|it| {
        let states = [("waiting", it.waiting), ("failing", it.failing)];
        of_states("tidemark_reactor_due_actions", it.name, states)
    });
    Ok(measurements.collect())
}

async fn given_up_actions(pool: &PgPool) -> sqlx::Result<Vec<Series>> {
    let reactors = sqlx::query!(
        r#"
        select name,
               given_up.refused::float8 as "refused!",
               given_up.unanswered::float8 as "unanswered!"
          from reactors
         cross join lateral given_up_actions(name, $1) as given_up
        "#,
        COUNTED_MAX,
    );
    let reactors = reactors.fetch_all(pool).await?.into_iter();
    let measurements = reactors.flat_map(|it| {
        let states = [("refused", it.refused), ("unanswered", it.unanswered)];
        of_states("tidemark_reactor_given_up_actions", it.name, states)
    });
    Ok(measurements.collect())
}

/// Where no relay ever ran, none is behind.
async fn relay(pool: &PgPool) -> sqlx::Result<Vec<Series>> {
    let relay = sqlx::query!(
        r#"
        select log_head.position::float8 as "head!",
               greatest(log_head.position - relay.position, 0)::float8 as "backlog!",
               coalesce(extract(epoch from clock_timestamp() - next.recorded_at), 0)::float8 as "lag!",
               relay.epoch > 0 as "has_run!"
          from log_head,
               relay_progress relay
          left join events next
            on next.position = relay.position + 1
        "#
    );
    let relay = relay.fetch_one(pool).await?;
    gauge!("tidemark_log_position").set(relay.head);
    if relay.has_run {
        gauge!("tidemark_relay_backlog_events").set(relay.backlog);
        gauge!("tidemark_relay_backlog_seconds").set(relay.lag.max(0.0));
    }
    Ok(Vec::new())
}

/// How many actions of a reactor are in each of two states.
fn of_states(
    metric: &'static str,
    reactor: String,
    states: [(&'static str, f64); 2],
) -> [Series; 2] {
    let reactor = Label::new("reactor", reactor);
    states.map(|(state, count)| {
        let labels = vec![reactor.clone(), Label::new("state", state)];
        measured(metric, labels, count)
    })
}

/// A gauge that has this value, and the series that shows it.
fn measured(name: &'static str, labels: Vec<Label>, value: f64) -> Series {
    let mut series = Series::new(labels);
    series.gauge(name).set(value);
    series
}
