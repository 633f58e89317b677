//! How many read models are followed. Copies of them are further generations, which projectors follow as they follow those that
//! serve.

use sqlx::PgPool;
use tidemark_tests::{Deployment, eventually};

use super::Connection;
use super::lag::positions;

/// Has only these read models followed, until [`follow_all`]: a process that does nothing holds the leases of the others.
pub(crate) async fn follow_only(deployment: &Deployment, read_models: &[&str]) {
    sqlx::query(
        "update leases
            set holder = gen_random_uuid(),
                epoch = epoch + 1,
                expires_at = clock_timestamp() + interval '1 day'
          where name like 'projection:%'
            and split_part(name, ':', 2) <> all($1)",
    )
    .bind(read_models)
    .execute(&deployment.app.database.pool)
    .await
    .unwrap();
    eventually("the projector to follow no other", || async {
        let mut projector = Connection::open(&deployment.projector.url).await;
        let followed = positions(&mut projector).await.len();
        (followed == read_models.len()).then_some(())
    })
    .await;
}

/// Has all read models followed again.
pub(crate) async fn follow_all(pool: &PgPool) {
    let end = "update leases set expires_at = clock_timestamp() where name like 'projection:%'
                  and expires_at > clock_timestamp() + interval '1 hour'";
    sqlx::query(end).execute(pool).await.unwrap();
}

/// Makes copies of read models, in the order of their names, until so many are followed, and waits until all are level with
/// the log.
pub(crate) async fn copy_read_models(pool: &PgPool, wanted: i64) {
    loop {
        // A generation that is kept is not compared, and does not serve.
        let copied: i64 = sqlx::query_scalar(
            "with begun as materialized (
                 select g.read_model,
                        begin_generation(g.read_model, g.fold_version, 1, true, false) as generation
                   from (select *
                           from generations
                          where state = 'serving'
                          order by read_model
                          limit greatest(0, $1 - (select count(*) from generations))) g
             )
             select count(generation) from begun",
        )
        .bind(wanted)
        .fetch_one(pool)
        .await
        .unwrap();
        sqlx::query("update generations set state = 'kept' where state = 'building'")
            .execute(pool)
            .await
            .unwrap();
        if copied == 0 {
            break;
        }
    }
    eventually("the copies to be level with the log", || async {
        let behind: i64 = sqlx::query_scalar(
            "select count(*)
               from checkpoints c,
                    log_head h
              where c.position < h.position",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        (behind == 0).then_some(())
    })
    .await;
}
