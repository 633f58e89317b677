//! Snapshots make loading short and change nothing else: a decision rests on the same state with and
//! without them, and only committed states are stored.

use futures::TryStreamExt;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tidemark_event_store::PageLimits;
use tidemark_platform::ids::new_id;
use tidemark_tests::App;
use tidemark_tests::eventually;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE};
use uuid::Uuid;

const EVERY: i64 = 10;
const BIDS: i64 = 35;

/// An auction with many bids, and the least that the next bid must offer.
async fn long_auction(app: &App) -> (Uuid, i64) {
    let auction = app.market().await.auction(json!({})).await;
    let (anna, ben) = (app.user().await, app.user().await);
    for bid in 0..BIDS {
        let bidder = if bid % 2 == 0 { &anna } else { &ben };
        bidder
            .bid(auction, STARTING_PRICE + bid * INCREMENT)
            .await
            .ok();
    }
    (auction, STARTING_PRICE + BIDS * INCREMENT)
}

async fn start() -> App {
    let app = App::builder().set("TIDEMARK_EXECUTOR__SNAPSHOT_EVERY", EVERY);
    app.start().await
}

/// The snapshot of a stream, if there is one: its version and its state.
async fn snapshot(app: &App, stream: Uuid) -> Option<(i64, Value)> {
    let kept: Option<(i64, String)> =
        sqlx::query_as("select version, state::text from snapshots where stream_id = $1")
            .bind(stream)
            .fetch_optional(&app.database.pool)
            .await
            .unwrap();
    kept.map(|(version, state)| (version, serde_json::from_str(&state).unwrap()))
}

async fn set(app: &App, stream: Uuid, change: &str) {
    let statement = format!("update snapshots set {change} where stream_id = '{stream}'");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&app.database.pool)
        .await
        .unwrap();
}

/// The least that a bid must offer according to a process that has just started.
async fn minimum_after_restart(app: &mut App, auction: Uuid) -> i64 {
    app.restart_command_api().await;
    let low = app.user().await.bid(auction, 1).await;
    low.problem(409, "bid_too_low");
    let mut words = low.detail().split(' ');
    words.find_map(|word| word.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_decision_after_a_restart_rests_on_the_snapshot() {
    let mut app = start().await;
    let (auction, minimum) = long_auction(&app).await;
    let (version, _) = eventually("a snapshot to be stored", || async {
        let kept = snapshot(&app, auction).await;
        kept.filter(|(version, _)| *version >= 3 * EVERY)
    })
    .await;
    let events: i64 = sqlx::query_scalar("select count(*) from events where stream_id = $1")
        .bind(auction)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert!(version < events, "no event follows the snapshot");
    let after = minimum_after_restart(&mut app, auction).await;
    assert_eq!(after, minimum);

    // A snapshot with other terms changes the minimum, so it is used.
    let (_, mut state) = snapshot(&app, auction).await.unwrap();
    state["Open"]["terms"]["minimum_increment"] = json!(INCREMENT + 50);
    set(&app, auction, &format!("state = '{state}'")).await;
    let after = minimum_after_restart(&mut app, auction).await;
    assert_eq!(after, minimum + 50);

    // A snapshot of another state version is ignored, and so is one that cannot be read.
    for ignored in ["state_version = state_version + 1", "state = '{}'"] {
        set(&app, auction, &format!("version = {version}, {ignored}")).await;
        let after = minimum_after_restart(&mut app, auction).await;
        assert_eq!(after, minimum, "{ignored}");
    }
    app.user().await.bid(auction, minimum).await.ok();
}

#[tokio::test]
async fn one_query_reads_a_snapshot_and_the_events_after_it() {
    let app = start().await;
    let (auction, _) = long_auction(&app).await;
    let (version, _) = eventually("a snapshot to be stored", || async {
        let kept = snapshot(&app, auction).await;
        kept.filter(|(version, _)| *version >= 3 * EVERY)
    })
    .await;
    let log = app.database.log();
    let read = async |after: Option<i64>, events: i64| {
        let (ids, after) = ([auction, new_id()], [after, None]);
        let limits = PageLimits {
            events,
            bytes: i64::MAX,
        };
        let parts: Vec<_> = log
            .states(&ids, &after, limits)
            .try_collect()
            .await
            .unwrap();
        assert!(parts.iter().all(|part| part.stream_id == auction));
        let parts = parts.into_iter();
        parts
            .map(|part| (part.event_type.is_none(), part.version))
            .collect::<Vec<_>>()
    };
    let after_snapshot = [(true, version), (false, version + 1), (false, version + 2)];
    assert_eq!(read(None, 2).await, after_snapshot);
    assert_eq!(read(Some(0), 2).await, [(false, 1), (false, 2)]);
}

#[tokio::test]
async fn only_committed_states_are_stored() {
    let app = start().await;
    let (auction, _) = long_auction(&app).await;
    let pool = &app.database.pool;
    sqlx::raw_sql("delete from snapshots")
        .execute(pool)
        .await
        .unwrap();
    let save = async |version: i64, state_version: i16, state: &str| {
        sqlx::query("select save_snapshot($1, $2, $3, $4)")
            .bind(auction)
            .bind(version)
            .bind(state_version)
            .bind(state)
            .execute(pool)
            .await
            .unwrap();
        snapshot(&app, auction).await
    };
    assert_eq!(
        save(1_000, 1, "1").await,
        None,
        "no event of this version is committed"
    );
    assert_eq!(save(20, 1, "1").await, Some((20, json!(1))));
    assert_eq!(
        save(19, 1, "2").await,
        Some((20, json!(1))),
        "an earlier state does not replace a later one"
    );
    assert_eq!(
        save(19, 2, "3").await,
        Some((19, json!(3))),
        "a newer state version replaces an older one"
    );
    assert_eq!(
        save(30, 1, "4").await,
        Some((19, json!(3))),
        "an older state version does not replace a newer one"
    );

    let url = app.database.url_like(&tidemark_tests::from_environment(
        "TIDEMARK_DATABASE__APPEND_URL",
    ));
    let appending = sqlx::PgPool::connect(&url).await.unwrap();
    let refused = sqlx::raw_sql("update snapshots set state = '{}'").execute(&appending);
    let error = refused.await.unwrap_err().to_string();
    assert!(error.contains("permission denied"), "{error}");
}
