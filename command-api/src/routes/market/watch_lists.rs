//! Routes of watch lists: users watch auctions, to be told when these end soon.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use tidemark_domain::market::watch_list::{Unwatch, Watch};
use tidemark_events::{Actor, AuctionId, UserId, WatchId, WatchListId};
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(watch))
        .routes(routes!(unwatch))
}

/// The watch list of the caller. The decision refuses whoever has none.
fn watch_list_id(caller: &Caller) -> Uuid {
    let user_id = match caller.actor() {
        Actor::User(user_id) => user_id,
        Actor::Service(_) | Actor::Anonymous => UserId(Uuid::nil()),
    };
    WatchListId::of(user_id).0
}

/// Watch an auction
///
/// You are notified once when it ends soon. The answer has the id and the version of your watch list.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/watch",
    operation_id = "watch_auction",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Watch>)
)]
async fn watch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let settings = &app.config.market;
    let command = Watch {
        watch_id: WatchId(new_id()),
        auction_id: AuctionId(id),
        watched_max: settings.watched_max,
        ends_soon: TimeDelta::seconds(settings.ends_soon_s),
    };
    app.change(&caller, watch_list_id(&caller), command).await
}

/// Stop watching an auction
///
/// The answer has the id and the version of your watch list.
#[utoipa::path(
    delete,
    path = "/v1/auctions/{id}/watch",
    operation_id = "unwatch_auction",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Unwatch>)
)]
async fn unwatch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Unwatch {
        auction_id: AuctionId(id),
    };
    app.change(&caller, watch_list_id(&caller), command).await
}
