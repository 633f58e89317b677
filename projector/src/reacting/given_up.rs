//! Letting an action be tried again that was given up, and dropping one.

use sqlx::PgPool;
use tidemark_read_models::operations::given_up::GivenUpAction;

/// Lets a sender try the action again at once, unless that has happened since it was read.
pub(crate) async fn retry(pool: &PgPool, action: &GivenUpAction) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set done_at = null,
               next_attempt_at = clock_timestamp()
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is not null
        "#,
        action.reactor,
        action.position,
        action.target,
        action.attempts,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Ends an action for ever, unless it was done.
pub(crate) async fn drop_action(
    pool: &PgPool,
    reactor: &str,
    position: i64,
    target: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set done_at = coalesce(done_at, clock_timestamp()),
               outcome = 'dropped'
         where reactor = $1
           and position = $2
           and target = $3
           and (done_at is null or outcome <> 'done')
        "#,
        reactor,
        position,
        target,
    )
    .execute(pool)
    .await
    .map(drop)
}
