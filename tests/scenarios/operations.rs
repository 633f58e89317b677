//! The scenarios of the context `operations`, and its route.

mod actions;
mod backup;
mod lists;
mod names;
mod object_store;
mod relay;
mod status;
mod tool;

use serde_json::json;
use tidemark_tests::App;
use uuid::Uuid;

use crate::http::routes::{Audience, Route};

/// The route of forks, with a request that it accepts.
pub(crate) fn fork(app: &App) -> Route {
    let fork = json!({
        "reason": "the backup of Monday was restored",
        "shared_up_to": 1,
    });
    let operator = "operator";
    Route::post(
        "/v1/forks",
        Audience::Service(operator),
        &app.service(operator),
    )
    .with(fork)
    .optional(&["/shared_up_to"])
    .line("/reason", 500)
    .out_of_range("/shared_up_to", [json!(-1)])
}

/// The routes that tell the relay how to go on, each with a request that it accepts.
pub(crate) fn publications(app: &App) -> [Route; 2] {
    let operator = "operator";
    let route = |path| Route::post(path, Audience::Service(operator), &app.service(operator));
    let adoption = json!({ "reason": "the backup of Monday was restored" });
    let republication = json!({
        "from_position": 1,
        "reason": "a topic had lost records",
    });
    [
        route("/v1/adoptions").with(adoption).line("/reason", 500),
        route("/v1/republications")
            .with(republication)
            .line("/reason", 500)
            .out_of_range("/from_position", [json!(0), json!(-1)]),
    ]
}

/// The route of rebuilds, with a request that it accepts.
pub(crate) fn rebuild(app: &App) -> Route {
    let rebuild = json!({
        "read_model": "auction",
        "order": "build",
        "reason": "the fold was mended",
    });
    let operator = "operator";
    Route::post(
        "/v1/rebuilds",
        Audience::Service(operator),
        &app.service(operator),
    )
    .with(rebuild)
    .line("/read_model", 100)
    .out_of_range("/read_model", [json!("auctions")])
    .line("/reason", 500)
}

/// The route of repairs, with a request that it accepts.
pub(crate) fn repair(app: &App) -> Route {
    let repair = json!({
        "read_model": "auction",
        "row_id": Uuid::nil(),
        "position": 1,
        "remedy": "retry",
        "reason": "The cause is gone.",
    });
    let operator = "operator";
    Route::post(
        "/v1/repairs",
        Audience::Service(operator),
        &app.service(operator),
    )
    .with(repair)
    .line("/read_model", 100)
    .out_of_range("/read_model", [json!("auctions")])
    .line("/reason", 500)
    .out_of_range("/position", [json!(0), json!(-1)])
}

/// The route of retries, with a request that it accepts.
pub(crate) fn retry(app: &App) -> Route {
    let retry = json!({
        "reactor": "auction-timer",
        "cause_position": 1,
        "target": "close",
        "refusal": "409 auction_over",
        "reason": "The command API refused in error.",
    });
    let operator = "operator";
    Route::post(
        "/v1/retries",
        Audience::Service(operator),
        &app.service(operator),
    )
    .with(retry)
    .line("/reactor", 100)
    .out_of_range("/reactor", [json!("auction-clock")])
    .line("/target", 100)
    .line("/refusal", 100)
    .line("/reason", 500)
    .optional(&["/reason"])
    .out_of_range("/cause_position", [json!(0), json!(-1)])
}

/// The route of dropped actions, with a request that it accepts.
pub(crate) fn drop_action(app: &App) -> Route {
    let drop_action = json!({
        "reactor": "auction-timer",
        "cause_position": 1,
        "target": "close",
        "reason": "The auction was closed by hand.",
    });
    let operator = "operator";
    Route::post(
        "/v1/drops",
        Audience::Service(operator),
        &app.service(operator),
    )
    .with(drop_action)
    .line("/reactor", 100)
    .out_of_range("/reactor", [json!("auction-clock")])
    .line("/target", 100)
    .line("/reason", 500)
    .out_of_range("/cause_position", [json!(0), json!(-1)])
}
