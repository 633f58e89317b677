//! Read models that are built anew while the projector is killed.

use std::time::Duration;

use futures::FutureExt;
use tidemark_read_models::folds;
use tokio::time::sleep;

use super::recovery::{PROJECTOR_RESUMES, SLOWNESS};
use super::{Fault, Injection, Outcome};
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[Fault::new(
    "kill-rebuilding-projector",
    "kill -9 of the projector while it builds a generation",
    20,
    |i| kill_rebuilding_projector(i).boxed(),
)];

/// How often the projector is killed while a generation is built.
const KILLS: u32 = 3;
/// How long it runs before.
const RUNS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// Until the new generation serves after the last kill.
const SERVES: Duration = Duration::from_secs(20 * SLOWNESS);

/// Has a read model built anew as the operators' tool does, and kills the projector again and again. In the end the
/// new generation serves.
async fn kill_rebuilding_projector(mut injection: Injection) -> Outcome {
    let pool = &injection.stack.pool.clone();
    let folds = folds();
    let (read_model, fold_version) = *injection.one_of(&folds);
    let shards = *injection.one_of(&[1, 2, 3]);
    let serving = serving(&injection, read_model).await;
    let generation: Option<i32> =
        sqlx::query_scalar("select begin_generation($1, $2, $3, false, false)")
            .bind(read_model)
            .bind(fold_version)
            .bind(shards)
            .fetch_one(pool)
            .await
            .unwrap();
    let generation = generation.expect("no other generation is being built");
    for _ in 0..KILLS {
        sleep(injection.between(RUNS.0, RUNS.1)).await;
        injection.stack.projectors[0].supervised.kill();
    }
    let what = format!("generation {generation} of {read_model} serves");
    let served = wait_until(&what, || async {
        self::serving(&injection, read_model).await == generation
    })
    .await;
    assert!(
        served < SERVES,
        "generation {generation} of {read_model} served only after {served:?}, not within {SERVES:?}"
    );
    // It would be followed to the end of the run, as would those of all later injections.
    wait_until("the generation before is dropped", || async {
        let drop = sqlx::query("select drop_generation($1, $2)");
        let dropped = drop.bind(read_model).bind(serving).execute(pool);
        dropped.await.is_ok()
    })
    .await;
    Outcome::Recovered(injection.wait_for_read_models(PROJECTOR_RESUMES).await)
}

/// The number of the generation that serves.
async fn serving(injection: &Injection, read_model: &str) -> i32 {
    let sql = "select generation from generations where read_model = $1 and state = 'serving'";
    sqlx::query_scalar(sql)
        .bind(read_model)
        .fetch_one(&injection.stack.pool)
        .await
        .unwrap()
}
