//! Copies of the read models: further generations, which projectors follow as they follow those that serve.

use sqlx::PgPool;
use tidemark_tests::eventually;

/// Makes so many copies of each read model, and waits until they are level with the log.
pub(crate) async fn copy_read_models(pool: &PgPool, copies: u32) {
    for _ in 0..copies {
        // A generation that is kept is not compared, and does not serve.
        sqlx::query(
            "with begun as materialized (
                 select g.read_model,
                        begin_generation(g.read_model, g.fold_version, 1, true, false) as generation
                   from generations g
                  where g.state = 'serving'
             )
             select count(generation) from begun",
        )
        .execute(pool)
        .await
        .unwrap();
        sqlx::query("update generations set state = 'kept' where state = 'building'")
            .execute(pool)
            .await
            .unwrap();
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
