//! Copies of the read models: further generations, which projectors follow as they follow those that serve.

use sqlx::PgPool;
use tidemark_tests::eventually;

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
