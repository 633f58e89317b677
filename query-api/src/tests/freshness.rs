//! Read your own writes: which position an answer reflects, and how a token is refused that no answer
//! can reflect.

use tidemark_read_models::market::auction::Auction;
use uuid::Uuid;

use super::harness::{Api, Database, auction};

pub(super) const PATH: &str = "/auctions/00000000-0000-0000-0000-000000000001";
pub(super) const SHORT_WAIT: [(&str, &str); 1] = [("TIDEMARK_QUERY__WAIT_MS", "50")];

pub(super) async fn with_an_auction(test: &str) -> Database {
    let database = Database::new(test).await;
    database
        .write::<Auction>(Uuid::from_u128(1), 3, &auction(1))
        .await;
    database.set_checkpoints(5).await;
    database.set_head(9).await;
    database
}

#[tokio::test]
async fn a_token_is_reflected_or_refused() {
    let database = with_an_auction("tokens").await;
    let api = Api::start(&database, &SHORT_WAIT).await;
    let ask = async |token| api.get(PATH, &[("tidemark", token)]).await;

    let answer = ask("1.5").await;
    assert_eq!((answer.status, &*answer.tidemark), (200, "1.5"));
    assert_eq!(ask("1.6").await.problem(), (503, "behind"));
    let future = ask("1.10").await;
    assert_eq!(future.problem(), (400, "future_position"));
    assert!(future.detail().ends_with("send the request without it."));
    let lost = ask("2.1").await;
    assert_eq!(lost.problem(), (409, "other_timeline"));
    assert!(lost.detail().ends_with("send the request without it."));
    for forged in ["5", "1.-1", "1.05", "x", "1.99999999999999999999"] {
        assert_eq!(
            ask(forged).await.problem(),
            (400, "invalid_tidemark"),
            "{forged}"
        );
    }
}

#[tokio::test]
async fn a_query_waits_until_the_position_of_its_token_is_applied() {
    let database = with_an_auction("waiting").await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__WAIT_MS", "20000")]).await;
    let row = auction(1);
    let applied = database.write::<Auction>(Uuid::from_u128(1), 8, &row);
    let (answer, ()) = tokio::join!(api.get(PATH, &[("tidemark", "1.8")]), applied);
    assert_eq!((answer.status, &*answer.tidemark), (200, "1.8"));
}

#[tokio::test]
async fn a_query_that_waits_looks_when_a_projector_tells_of_its_write() {
    let database = with_an_auction("notified").await;
    let settings = [
        ("TIDEMARK_QUERY__WAIT_MS", "20000"),
        ("TIDEMARK_QUERY__WATCH_MS", "60000"),
    ];
    let api = Api::start(&database, &settings).await;
    let row = auction(1);
    let telling = async {
        database.write::<Auction>(Uuid::from_u128(1), 8, &row).await;
        // What was told before the API listened is lost.
        loop {
            for payload in ["nobody knows what", "[]", r#"[["auction", 1, 0, 8]]"#] {
                let tell = format!("select pg_notify('checkpoints', '{payload}')");
                database.execute(tell).await;
            }
        }
    };
    tokio::select! {
        answer = api.get(PATH, &[("tidemark", "1.8")]) => {
            assert_eq!((answer.status, &*answer.tidemark), (200, "1.8"));
        }
        () = telling => {}
    }
}

/// Auctions 1 and 2 are in shards 1 and 2 of three, and shard 2 is behind.
async fn with_a_slow_shard(test: &str) -> Database {
    let database = with_an_auction(test).await;
    database.divide::<Auction>(3).await;
    database
        .write::<Auction>(Uuid::from_u128(2), 5, &auction(2))
        .await;
    let others = "not (read_model = 'auction' and shard = 2)";
    database
        .execute(format!(
            "update checkpoints set position = 9 where {others}"
        ))
        .await;
    database
}

#[tokio::test]
async fn a_query_for_a_row_waits_for_one_shard_and_a_list_for_all() {
    let database = with_a_slow_shard("shards").await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__WAIT_MS", "300")]).await;
    let ask = async |path, token| api.get(path, &[("tidemark", token)]).await;

    let fast = ask(PATH, "1.9").await;
    assert_eq!((fast.status, &*fast.tidemark), (200, "1.9"));
    let slow = PATH.replace("0001", "0002");
    assert_eq!(ask(&slow, "1.6").await.problem(), (503, "behind"));
    assert_eq!(ask(&slow, "1.5").await.tidemark, "1.5");
    assert_eq!(ask("/auctions", "1.6").await.problem(), (503, "behind"));
    let list = ask("/auctions", "1.5").await;
    assert_eq!((list.status, &*list.tidemark), (200, "1.5"));

    let catch_up = database.set_shard_checkpoint::<Auction>(2, 9);
    let (slow, ()) = tokio::join!(ask(&slow, "1.8"), catch_up);
    assert_eq!((slow.status, &*slow.tidemark), (200, "1.9"));
}

#[tokio::test]
async fn a_query_for_a_row_does_not_wait_for_other_shards() {
    let database = with_a_slow_shard("shard_waits").await;
    database.set_shard_checkpoint::<Auction>(1, 5).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__WAIT_MS", "20000")]).await;
    // The shard of the row catches up, the other one does not.
    let applied = database.set_shard_checkpoint::<Auction>(1, 8);
    let (answer, ()) = tokio::join!(api.get(PATH, &[("tidemark", "1.8")]), applied);
    assert_eq!((answer.status, &*answer.tidemark), (200, "1.8"));
}

#[tokio::test]
async fn a_blocked_shard_blocks_queries_for_its_rows_and_lists_only() {
    let database = with_a_slow_shard("shard_blocked").await;
    database
        .execute("update checkpoints set blocked = 'a fold failed' where position = 5")
        .await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__WAIT_MS", "20000")]).await;
    let token = [("tidemark", "1.6")];
    assert_eq!(api.get(PATH, &token).await.status, 200);
    let slow = PATH.replace("0001", "0002");
    for path in [&slow, "/auctions"] {
        assert_eq!(api.get(path, &token).await.problem(), (503, "blocked"));
    }
}

#[tokio::test]
async fn a_query_does_not_wait_for_a_blocked_read_model() {
    let database = with_an_auction("blocked").await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__WAIT_MS", "20000")]).await;
    database
        .execute("update checkpoints set blocked = 'a fold failed'")
        .await;
    assert_eq!(api.get(PATH, &[("tidemark", "1.5")]).await.status, 200);
    assert_eq!(
        api.get(PATH, &[("tidemark", "1.6")]).await.problem(),
        (503, "blocked")
    );
}

#[tokio::test]
async fn a_list_of_two_read_models_reflects_the_one_that_is_behind() {
    let database = with_an_auction("least").await;
    let behind = "update checkpoints set position = 4 where read_model = 'category'";
    database.execute(behind).await;
    let api = Api::start(&database, &SHORT_WAIT).await;
    let below = format!("/auctions?category={}", Uuid::from_u128(3));
    assert_eq!(api.get(&below, &[]).await.tidemark, "1.4");
    let seen = [("tidemark", "1.5")];
    let answer = api.get(&below, &seen).await;
    assert_eq!(answer.problem(), (503, "behind"));
    // Without the filter nothing of the categories is read.
    assert_eq!(api.get("/auctions", &seen).await.tidemark, "1.5");
}
