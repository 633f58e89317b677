//! What goes on as if nothing happened while read models are built anew, switched and rolled back: whoever watches an
//! auction sees each state once, and reactors do not act again.

use std::pin::pin;

use serde_json::{Value, json};
use tidemark_read_models::{ReadModel, for_each_read_model};
use tidemark_tests::{App, User, eventually};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rebuilds::order;
use crate::market::live_updates::{Watcher, assert_positions_rise};

fn name<M: ReadModel>() -> &'static str {
    M::NAME
}

/// Rebuilds the auctions and rolls them back. Returns the end of the log right after each.
async fn switch_twice(app: &App) -> [i64; 2] {
    let switch = async |command| {
        let ordered = order(app, &[command, "auction"]).await;
        assert!(ordered.status.success(), "{ordered:?}");
        app.database.head().await
    };
    [switch("rebuild").await, switch("rollback").await]
}

/// Bids until `stop`, and once more. Returns how many bids there are.
async fn bid(buyer: &User, auction: Uuid, stop: &CancellationToken) -> i64 {
    let mut bids = 0;
    let mut bid = async || {
        buyer.bid(auction, 1_000 + 100 * bids).await.ok();
        bids += 1;
    };
    while !stop.is_cancelled() {
        bid().await;
    }
    bid().await;
    bids
}

#[tokio::test]
async fn a_watcher_is_shown_each_state_once_across_a_rebuild_and_a_rollback() {
    let app = App::builder().projector().queries().start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    app.settle().await;
    let mut watcher = Watcher::open(&app.client, auction).await;
    let stop = CancellationToken::new();
    let switching = async {
        let switched_at = switch_twice(&app).await;
        stop.cancel();
        switched_at
    };
    let load = async { tokio::join!(switching, bid(&buyer, auction, &stop)) };
    let mut load = pin!(load);
    let mut seen = Vec::new();
    let (switched_at, bids) = loop {
        tokio::select! {
            ended = &mut load => break ended,
            update = watcher.next() => seen.push(update),
        }
    };
    while seen
        .last()
        .is_none_or(|it| it.document["bid_count"] != bids)
    {
        seen.push(watcher.next().await);
    }
    assert_positions_rise(&seen);
    let versions: Vec<_> = seen
        .iter()
        .map(|it| it.document["version"].as_i64())
        .collect();
    let rises = |pair: &[Option<i64>]| pair[0] < pair[1];
    assert!(versions.windows(2).all(rises), "{versions:?}");
    let [rebuilt_at, rolled_back_at] = switched_at;
    let are_shown = |from, to| seen.iter().any(|it| (from..to).contains(&it.position()));
    assert!(are_shown(0, rebuilt_at), "{seen:?}");
    assert!(are_shown(rebuilt_at, rolled_back_at), "{seen:?}");
    assert!(are_shown(rolled_back_at, i64::MAX), "{seen:?}");
}

/// All actions of reactors, with how often each was sent.
async fn actions(app: &App) -> Value {
    let sql = "select json_agg(a order by reactor, position, target) from reactor_actions a";
    let actions = sqlx::query_scalar(sql).fetch_one(&app.database.pool);
    actions.await.unwrap()
}

#[tokio::test]
async fn no_reactor_acts_again_while_every_read_model_is_rebuilt() {
    let app = App::start().await;
    let projector = app.spawn_projector().await;
    let market = app.market().await;
    let ends_at = app.database.in_seconds(3).await;
    market.auction(json!({"ends_at": ends_at})).await;
    market.auction(json!({})).await;
    eventually("the auction to close", || async {
        let closed =
            sqlx::query_scalar("select exists (select from events where type = 'auction.closed')");
        let closed: bool = closed.fetch_one(&app.database.pool).await.unwrap();
        closed.then_some(())
    })
    .await;
    app.settle().await;
    let head = app.database.head().await;
    let acted = async || {
        let answers = projector.measured("tidemark_reactor_answers_total").await;
        assert!(!answers.is_empty());
        (actions(&app).await, answers)
    };
    let before = acted().await;

    for read_model in for_each_read_model!(name()) {
        let rebuilt = order(&app, &["rebuild", read_model]).await;
        assert!(rebuilt.status.success(), "{read_model}: {rebuilt:?}");
    }
    app.settle().await;
    assert_eq!(acted().await, before);
    let types = sqlx::query_scalar("select distinct type from events where position > $1");
    let types: Vec<String> = types
        .bind(head)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(types, ["rebuild.ordered"], "no command was sent");
}
