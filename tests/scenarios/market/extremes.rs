//! The most extreme values that are accepted reach the log and the read models unharmed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::types::Json;
use tidemark_tests::{App, Client};
use uuid::Uuid;

/// The data of the first event of a stream.
async fn first_event(app: &App, stream: Uuid) -> serde_json::Value {
    let data: Json<serde_json::Value> =
        sqlx::query_scalar("select data from events where stream_id = $1 and version = 1")
            .bind(stream)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
    data.0
}

/// The document at this path, once it shows everything that happened.
async fn shown(app: &App, client: &Client, path: &str) -> serde_json::Value {
    app.settle().await;
    client.get(path).await.ok().body
}

#[tokio::test]
async fn the_earliest_and_the_latest_times_are_kept_in_whole_microseconds() {
    let app = App::start_all().await;
    let market = app.market().await;
    let now = app.database.now().await;
    let in_days = |days| now + TimeDelta::days(days);
    let finely = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S.123456789Z").to_string();
    let kept = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S.123456Z").to_string();
    let (soon, latest) = (now + TimeDelta::seconds(60), in_days(729));
    for (starts_at, ends_at) in [
        (soon, soon + TimeDelta::seconds(1)),
        (soon, soon + TimeDelta::days(30)),
        (latest - TimeDelta::days(30), latest),
    ] {
        let times = json!({"starts_at": finely(starts_at), "ends_at": finely(ends_at)});
        let id = market.auction(times).await;
        let event = first_event(&app, id).await;
        let document = shown(&app, &app.client, &format!("/v1/auctions/{id}")).await;
        for stored in [&event, &document] {
            assert_eq!(stored["starts_at"], kept(starts_at));
            assert_eq!(stored["ends_at"], kept(ends_at));
        }
        let column: DateTime<Utc> =
            sqlx::query_scalar("select ends_at from auction_rows where id = $1")
                .bind(id)
                .fetch_one(&app.database.pool)
                .await
                .unwrap();
        assert_eq!(column.to_rfc3339(), kept(ends_at).replace('Z', "+00:00"));
    }
}
