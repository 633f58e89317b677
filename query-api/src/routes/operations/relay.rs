//! The relay.

use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use tidemark_platform::auth::User;
use tidemark_platform::http::{Json, tag_content};
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::operations::relay;
use tidemark_read_models::operations::relay::RelayStatus;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::head_for_operators;
use crate::app::App;
use crate::error::Error;

/// What the relay does is at no version, so its tag is made of its bytes. While the relay is behind, each answer has
/// another one.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .layer(from_fn(tag_content))
}

/// Get how far the log is published (for operators)
#[utoipa::path(
    get,
    path = "/v1/operations/relay",
    operation_id = "get_relay",
    tag = "operations",
    security(("user" = [])),
    responses((status = 200, body = RelayStatus))
)]
async fn get(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
) -> Result<Response, Error> {
    let head = head_for_operators(&app, &user, token).await?;
    let pool = &app.pools.operations;
    let status = pool.read(|| relay::get(pool)).await?;
    Ok((head, Json(status)).into_response())
}
