//! The relay.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use tidemark_platform::auth::User;
use tidemark_platform::http::Json;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::operations::relay;
use tidemark_read_models::operations::relay::RelayStatus;

use super::head_for_operators;
use crate::app::App;
use crate::error::Error;

/// Get how far the log is published (for operators)
#[utoipa::path(
    get,
    path = "/v1/operations/relay",
    operation_id = "get_relay",
    tag = "operations",
    security(("user" = [])),
    responses((status = 200, body = RelayStatus))
)]
pub(super) async fn get(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
) -> Result<Response, Error> {
    let head = head_for_operators(&app, &user, token).await?;
    let pool = &app.pools.operations;
    let status = pool.read(|| relay::get(pool)).await?;
    Ok((head, Json(status)).into_response())
}
