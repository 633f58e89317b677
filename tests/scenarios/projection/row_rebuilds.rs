//! An operator has one row made anew from its events, while clients go on.

use serde_json::json;
use tidemark_events::Encoded;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::market::bid::Bid;
use tidemark_tests::{App, Process, append_strange, replay};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rebuilds::{bid_and_query, order};
use super::replay::assert_documents;

/// The exit code if the row cannot be made.
const NOT_MADE: i32 = 5;

/// Fails unless the documents of a read model are those that a replay makes.
async fn assert_texts<M: ReadModel>(app: &App) {
    let events = app.database.log().page(0, i64::MAX).await.unwrap();
    let texts = |rows: replay::Rows| {
        rows.into_iter()
            .map(|(id, (_, text))| (id, text))
            .collect::<Vec<_>>()
    };
    let found = texts(replay::rows::<M>(&app.database.pool).await);
    assert!(!found.is_empty());
    assert_eq!(found, texts(replay::replay::<M>(&events)));
}

async fn make_anew(app: &App, read_model: &str, row: Uuid) {
    let made = order(app, &["rebuild", read_model, "--row", &row.to_string()]).await;
    assert!(made.status.success(), "{made:?}");
}

#[tokio::test]
async fn a_wrong_row_is_made_anew_under_load_and_nothing_is_lost_or_doubled() {
    let app = App::start_all().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    app.settle().await;
    let stop = CancellationToken::new();
    let rebuilding = async {
        for _ in 0..5 {
            make_anew(&app, "auction", auction).await;
        }
        stop.cancel();
    };
    tokio::join!(rebuilding, bid_and_query(&buyer, auction, &stop));
    app.settle().await;
    // The worker has the row in memory, so this is what an error of an earlier fold would have left.
    let sql = "update auction_rows set doc = replace(doc::text, '\"title\":\"', '\"title\":\"un')::json where id = $1";
    let broken = sqlx::query(sql).bind(auction).execute(&app.database.pool);
    assert_eq!(broken.await.unwrap().rows_affected(), 1);
    make_anew(&app, "auction", auction).await;
    app.settle().await;
    assert_texts::<Auction>(&app).await;
    assert_documents(&app).await;
    let (reason, actor): (String, String) = sqlx::query_as(
        "select data->>'reason', metadata->>'actor'
           from events where type = 'repair.rebuild_requested' limit 1",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!((&*reason, &*actor), ("as an exercise", "service:operator"));
}

/// A row that no event makes goes, and one of a single event is made of that.
#[tokio::test]
async fn rows_that_should_not_be_go_and_missing_ones_come_back() {
    let app = App::start_all().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let buyer = app.user().await;
    buyer.bid(auction, 1_000).await.ok();
    app.settle().await;
    let bid: Uuid = sqlx::query_scalar("delete from bid_rows returning id")
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    make_anew(&app, "bid", bid).await;
    assert_texts::<Bid>(&app).await;
    buyer.bid(auction, 1_200).await.ok();
    app.settle().await;
    let deleted = sqlx::query("delete from bid_rows").execute(&app.database.pool);
    assert_eq!(deleted.await.unwrap().rows_affected(), 2);
    let made = order(&app, &["rebuild", "bid", "--stream", &auction.to_string()]).await;
    assert!(made.status.success(), "{made:?}");
    assert_texts::<Bid>(&app).await;
    let sql = "update auction_rows set id = $2 where id = $1";
    let stray = Uuid::from_u128(5);
    let strayed = sqlx::query(sql).bind(auction).bind(stray);
    strayed.execute(&app.database.pool).await.unwrap();
    for row in [stray, auction] {
        make_anew(&app, "auction", row).await;
    }
    app.settle().await;
    assert_texts::<Auction>(&app).await;
}

/// Fails unless the order to make a row anew ends with this text, and is not on record.
async fn assert_not_made(app: &App, row: Uuid, expected: &str) {
    let ordered = order(app, &["rebuild", "category", "--row", &row.to_string()]).await;
    assert_eq!(ordered.status.code(), Some(NOT_MADE), "{ordered:?}");
    let error = String::from_utf8(ordered.stderr).unwrap();
    assert!(error.contains(expected), "{error}");
    let sql = "select count(*) from events where type = 'repair.rebuild_requested'";
    let orders = sqlx::query_scalar::<_, i64>(sql).fetch_one(&app.database.pool);
    assert_eq!(orders.await.unwrap(), 0);
}

#[tokio::test]
async fn a_missing_row_that_cannot_be_made_is_no_success() {
    let app = App::start_all().await;
    let (nothing, poisoned) = (Uuid::from_u128(5), Uuid::from_u128(6));
    app.category(None).await;
    assert_not_made(&app, nothing, "no event makes one").await;

    let unreadable = Encoded {
        event_type: "category.created".to_owned(),
        schema_version: 1,
        data: r#"{"category_id": 5}"#.to_owned(),
    };
    append_strange(&app.settings, poisoned, unreadable).await;
    app.settle().await;
    assert_not_made(&app, poisoned, "it is parked").await;
    let sql = "with forgotten as (delete from parked returning *) select count(*) from forgotten";
    let forgotten: i64 = sqlx::query_scalar(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(forgotten, 1);
    assert_not_made(&app, poisoned, "cannot be made of its events").await;
}

/// What the tool lets through, a projector carries out, and holds up its shard for.
#[tokio::test]
async fn a_row_of_very_many_events_is_not_made_anew() {
    let app = App::start().await;
    let category = app.category(None).await;
    let more = "
        insert into events
        select h.position + n, gen_random_uuid(), e.stream_id, e.version + n, e.aggregate, 'category.activated',
               e.schema_version, json_build_object('category_id', e.stream_id), e.metadata, e.recorded_at
          from events e
         cross join log_head h
         cross join generate_series(1, 20000) n
         where e.stream_id = $1";
    let more = sqlx::query(more).bind(category);
    more.execute(&app.database.pool).await.unwrap();
    sqlx::query("update log_head set position = (select max(position) from events)")
        .execute(&app.database.pool)
        .await
        .unwrap();
    assert_not_made(&app, category, "it takes more than 20000 events").await;
}

#[tokio::test]
async fn what_no_projector_would_do_is_refused() {
    let app = App::start().await;
    let id = Uuid::from_u128(5).to_string();
    for arguments in [
        ["rebuild", "auktion", "--row", &id, "--detach"],
        ["rebuild", "auction", "--row", "five", "--detach"],
        ["rebuild", "inbox", "--row", &id, "--detach"],
        ["rebuild", "inbox", "--stream", &id, "--detach"],
        ["rebuild", "bid", "--stream", &id, "--detach"],
    ] {
        let refused = order(&app, &arguments).await;
        assert!(!refused.status.success(), "{refused:?}");
    }
    let settings = app.settings.as_service("operator");
    let both = [
        "rebuild", "auction", "--row", &id, "--shards", "2", "--reason", "r",
    ];
    let refused = Process::operators_tool(&settings, &both).await;
    assert!(!refused.status.success(), "{refused:?}");
}
