//! Registering reactors: a new one starts at the head of the log, so that it does not answer history.

use sqlx::PgPool;
use tidemark_domain::ProcessManager;

/// Makes a checkpoint at the head of the log for every reactor that has none yet. The others keep
/// theirs, so that each continues where it is.
pub(crate) async fn register(
    pool: &PgPool,
    process_managers: &[ProcessManager],
) -> sqlx::Result<()> {
    let names = process_managers.iter().map(|it| it.name.to_owned());
    let registered = sqlx::query!(
        r#"
        insert into reactors (name, timeline, position, event_id)
        select name,
               log_head.timeline,
               log_head.position,
               events.event_id
          from unnest($1::text[]) as registered (name)
         cross join log_head
          left join events
            on events.position = log_head.position
            on conflict (name) do nothing
        returning name,
                  position
        "#,
        &names.collect::<Vec<_>>(),
    )
    .fetch_all(pool)
    .await?;
    for reactor in registered {
        tracing::info!(
            reactor = reactor.name,
            position = reactor.position,
            "a new reactor starts at the head of the log"
        );
    }
    Ok(())
}
