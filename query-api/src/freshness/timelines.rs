//! Tokens of earlier timelines, which are good up to where the timelines part.

use tidemark_event_store::TimedPool;
use tidemark_platform::tidemark::Token;

use crate::error::{Error, NamedBy};

/// The same token, which the client sent as `named_by`, on the timeline `present` of the log.
///
/// # Errors
/// [`Error::OtherTimeline`] if the token is of a future that the log has lost, or of another log.
pub(crate) async fn on_timeline(
    pool: &TimedPool,
    token: Token,
    named_by: NamedBy,
    present: i32,
) -> Result<Token, Error> {
    if token.timeline == present {
        return Ok(token);
    }
    let query = || {
        sqlx::query_scalar!(
            r#"
            select min(forked_at)
              from timelines
             where id > $1
               and id <= $2
               and exists (select from timelines where id = $1)
            "#,
            token.timeline,
            present,
        )
        .fetch_one(&**pool)
    };
    match pool.read(query).await? {
        Some(shared_up_to) if token.position <= shared_up_to => Ok(Token {
            timeline: present,
            ..token
        }),
        Some(_) | None => Err(Error::OtherTimeline(named_by)),
    }
}
