//! What holds for every route: how malformed, abusive and unlucky requests are answered.

mod bodies;
mod headers;
mod requests;

use axum::Router;
use axum::routing::{get, post};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::apply;
use crate::auth::{Principal, User};
use crate::http::{Correlation, IdempotencyKey, IfMatch, Json, Path, Problem, Query, body_limit};
use crate::testing;
use crate::tidemark::Tidemark;

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    #[garde(length(chars, max = 20))]
    name: String,
    #[garde(range(min = 1))]
    amount: i64,
    #[garde(dive)]
    #[serde(default)]
    lines: Vec<Line>,
    #[garde(skip)]
    #[serde(default)]
    extra: Value,
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    #[garde(range(min = 1, max = 9))]
    count: u8,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[garde(inner(range(max = 100)))]
    limit: Option<u32>,
    #[garde(skip)]
    text: Option<String>,
}

async fn headers(
    correlation: Correlation,
    IfMatch(versions): IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Tidemark(token): Tidemark,
) -> Json<Value> {
    Json(json!({
        "correlation_id": correlation.correlation_id,
        "traceparent": correlation.traceparent,
        "version": versions,
        "key": key,
        "token": token.map(|token| token.to_string()),
    }))
}

async fn filter(Query(filter): Query<Filter>) -> Json<Value> {
    Json(json!({ "limit": filter.limit, "text": filter.text }))
}

async fn broken() -> Result<(), Problem> {
    Err(Problem::internal("the password of the database is hunter2"))
}

async fn panicking() {
    panic!("hunter2");
}

async fn stuck() {
    std::future::pending::<()>().await;
}

fn routes() -> Router {
    let small: Router = Router::new().route(
        "/v1/small",
        post(|Json(order): Json<Order>| async { Json(order) }),
    );
    Router::new()
        .route(
            "/v1/orders",
            post(|Json(order): Json<Order>| async { Json(order) }),
        )
        .route(
            "/v1/orders/{id}",
            get(|Path(id): Path<uuid::Uuid>| async move { id.to_string() }),
        )
        .route("/v1/filter", get(filter))
        .route("/v1/headers", post(headers))
        .route(
            "/v1/user",
            get(|user: User| async move { user.id.to_string() }),
        )
        .route(
            "/v1/anyone",
            get(|principal: Principal| async move { principal.actor() }),
        )
        .route("/v1/broken", get(broken))
        .route("/v1/panicking", get(panicking))
        .route("/v1/stuck", get(stuck))
        .route("/v1/stuck/live", get(stuck))
        .merge(body_limit(small, 32))
}

fn app() -> Router {
    app_with(&[])
}

fn app_with(vars: &[(&str, &str)]) -> Router {
    let config = testing::config_with(vars);
    apply(routes(), &config.http, testing::authenticator(&config))
}
