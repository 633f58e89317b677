//! How everything is that follows the log, what waits for it, and the timelines of the log, as the operators' tool shows
//! it too. Only operators see it. The role in the access token decides, because this must be answered also when read
//! models stand still.

mod given_up;
mod parked;
mod reactors;
mod relay;
mod shards;
mod timelines;

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_event_store::Log;
use tidemark_platform::auth::User;
use tidemark_platform::http::Json;
use tidemark_platform::pagination::Page;
use tidemark_platform::tidemark::Token;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{OPERATOR, Paging};
use crate::app::App;
use crate::error::Error;
use crate::freshness::fresh_head;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(shards::list))
        .routes(routes!(reactors::list))
        .merge(relay::router())
        .routes(routes!(parked::list))
        .routes(routes!(given_up::list))
        .routes(routes!(timelines::list))
}

/// The head of the log, for users who are operators.
async fn head_for_operators(app: &App, user: &User, token: Option<Token>) -> Result<Token, Error> {
    if !user.has_role(OPERATOR) {
        return Err(Error::NotOperator);
    }
    fresh_head(&Log::new(app.pools.operations.clone()), token).await
}

/// A page of what `list` finds after a place. `place` is that of an item, and `scope` names the list.
async fn page<T: Serialize, P: Serialize + DeserializeOwned + Clone, F>(
    app: &App,
    (user, token): (&User, Option<Token>),
    (scope, paging): (&str, Paging),
    list: impl Fn(Option<P>, i64) -> F,
    place: impl Fn(&T) -> P,
) -> Result<Response, Error>
where
    F: Future<Output = sqlx::Result<Vec<T>>>,
{
    let limit = app.limit(paging.limit)?;
    let (after, token) = app
        .resume::<P>(scope, paging.cursor.as_deref(), token)
        .await?;
    let head = head_for_operators(app, user, token).await?;
    let query = || list(after.clone(), limit + 1);
    let mut items = app.pools.operations.read(query).await?;
    let length = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_next = items.len() > length;
    items.truncate(length);
    let page_end = items.last().filter(|_| has_next);
    let next = page_end.map(|item| {
        let end = (head.timeline, head.position, place(item));
        app.cursors.encode(scope, &end)
    });
    let next = next.transpose()?;
    Ok((head, Json(Page { items, next })).into_response())
}
