//! A bid is accepted only while the auction is open, in its currency, and if it is high enough. What was
//! accepted is checked in the log.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tidemark_tests::App;
use tidemark_tests::eventually;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE, eur};
use uuid::Uuid;

/// The bids of an auction that are in the log. Fails unless each is high enough to follow the one
/// before.
pub(super) async fn rising_bids(app: &App, auction: Uuid) -> Vec<(Uuid, i64)> {
    let bids: Vec<(Uuid, i64)> = sqlx::query_as(
        "
        select (data->>'bidder_id')::uuid,
               (data->'amount'->>'amount')::bigint
          from events
         where stream_id = $1
           and type = 'auction.bid_placed'
         order by position
        ",
    )
    .bind(auction)
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    let mut minimum = STARTING_PRICE;
    for (_, amount) in &bids {
        assert!(*amount >= minimum, "{amount} after {minimum} was due");
        minimum = amount + INCREMENT;
    }
    bids
}

/// The types of an auction's events, in order.
async fn event_types(app: &App, auction: Uuid) -> Vec<String> {
    sqlx::query_scalar("select type from events where stream_id = $1 order by version")
        .bind(auction)
        .fetch_all(&app.database.pool)
        .await
        .unwrap()
}

async fn outcome(app: &App, auction: Uuid) -> Value {
    let query = "
        select data->'outcome'
          from events
         where stream_id = $1
           and type = 'auction.closed'
    ";
    sqlx::query_scalar(query)
        .bind(auction)
        .fetch_one(&app.database.pool)
        .await
        .unwrap()
}

/// Closes an auction as soon as that is due.
async fn close(app: &App, auction: Uuid) {
    let timer = app.reactor("auction-timer");
    let path = format!("/v1/auctions/{auction}/close");
    eventually("the end of an auction", || async {
        let answer = timer.post_empty(&path).await;
        if answer.code() == "not_due" {
            assert!(answer.body["retry_at"].is_string(), "{answer:?}");
            return None;
        }
        answer.ok();
        Some(())
    })
    .await;
}

#[tokio::test]
async fn bids_below_the_minimum_are_refused() {
    let app = App::start().await;
    let auction = app.market().await.auction(json!({})).await;
    let (ida, otto) = (app.user().await, app.user().await);
    ida.bid(auction, STARTING_PRICE - 1)
        .await
        .problem(409, "bid_too_low");
    ida.bid(auction, STARTING_PRICE).await.ok();
    let head = app.database.head().await;
    for amount in [1, STARTING_PRICE, STARTING_PRICE + INCREMENT - 1] {
        let refused = otto.bid(auction, amount).await;
        refused.problem(409, "bid_too_low");
        // A client need not read the minimum out of a sentence.
        assert_eq!(refused.body["minimum"], eur(STARTING_PRICE + INCREMENT));
        // A bidder must outbid themselves too.
        ida.bid(auction, amount).await.problem(409, "bid_too_low");
    }
    assert_eq!(app.database.head().await, head);
    otto.bid(auction, STARTING_PRICE + INCREMENT).await.ok();
    assert_eq!(rising_bids(&app, auction).await.len(), 2);
}

#[tokio::test]
async fn invalid_amounts_and_other_currencies_are_refused() {
    let app = App::start().await;
    let auction = app.market().await.auction(json!({})).await;
    let buyer = app.user().await;
    let path = format!("/v1/auctions/{auction}/bids");
    let head = app.database.head().await;
    for amount in [
        0,
        -1,
        -STARTING_PRICE,
        i64::MIN,
        1_000_000_000_000_001,
        i64::MAX,
    ] {
        let answer = buyer.bid(auction, amount).await;
        answer.problem(422, "invalid");
    }
    for amount in [json!(1_000.5), json!("1000"), json!(null), json!(1e30)] {
        let body = json!({"amount": {"amount": amount, "currency": "EUR"}});
        buyer.post(&path, &body).await.problem(422, "invalid");
    }
    let dollars = json!({"amount": {"amount": 5_000, "currency": "USD"}});
    buyer
        .post(&path, &dollars)
        .await
        .problem(409, "wrong_currency");
    assert_eq!(app.database.head().await, head);
    // Nobody can outbid the highest possible amount.
    buyer.bid(auction, 1_000_000_000_000_000).await.ok();
    let answer = app.user().await.bid(auction, 1_000_000_000_000_000).await;
    answer.problem(409, "no_higher_bid");
}

#[tokio::test]
async fn sellers_neither_bid_on_nor_buy_from_their_own_auction() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({"buy_now_price": 9_000})).await;
    let head = app.database.head().await;
    market
        .seller
        .bid(auction, STARTING_PRICE)
        .await
        .problem(409, "own_auction");
    let buy_now = format!("/v1/auctions/{auction}/buy-now");
    market
        .seller
        .post_empty(&buy_now)
        .await
        .problem(409, "own_auction");
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn bids_before_the_start_are_refused() {
    let app = App::start().await;
    let starts_at = app.database.in_seconds(600).await;
    let auction = app
        .market()
        .await
        .auction(json!({"starts_at": starts_at}))
        .await;
    let head = app.database.head().await;
    let answer = app.user().await.bid(auction, STARTING_PRICE).await;
    answer.problem(409, "auction_not_open");
    let open = format!("/v1/auctions/{auction}/open");
    let timer = app.reactor("auction-timer");
    timer.post_empty(&open).await.problem(409, "not_due");
    assert_eq!(
        app.database.head().await,
        head + 3,
        "only a user with a credential and a session was added"
    );
}

/// Nobody closes the auction, and yet it takes no bids after its end.
#[tokio::test]
async fn bids_after_the_end_are_refused_before_anybody_closes_the_auction() {
    let app = App::start().await;
    let market = app.market().await;
    let buyer = app.user().await;
    let ends_at = app.database.in_seconds(3).await;
    let auction = market.auction(json!({"ends_at": ends_at})).await;
    let mut amount = STARTING_PRICE;
    eventually("the end of an auction", || {
        amount += INCREMENT;
        let bid = buyer.bid(auction, amount);
        async move {
            let answer = bid.await;
            (answer.code() == "auction_over").then_some(())
        }
    })
    .await;
    let bids = rising_bids(&app, auction).await;
    assert!(!bids.is_empty());
    // A bid that was decided before the end may be recorded up to `executor.decision_age_max_ms` later.
    let late: i64 = sqlx::query_scalar(
        "
        select count(*)
          from events
         where type = 'auction.bid_placed'
           and recorded_at >= $1::timestamptz + interval '2 seconds'
        ",
    )
    .bind(&ends_at)
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(late, 0);
    close(&app, auction).await;
    let (winner, price) = bids[bids.len() - 1];
    let sold = json!({"result": "sold", "winner_id": winner, "price": eur(price)});
    assert_eq!(outcome(&app, auction).await, sold);
    buyer
        .bid(auction, 1_000_000)
        .await
        .problem(409, "auction_over");
}

/// The bid is in time when it is decided, but the append has to wait for a lock until after the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_bid_that_reaches_the_log_after_the_end_is_refused() {
    let app = App::builder().set("TIDEMARK_EXECUTOR__DECISION_AGE_MAX_MS", 100);
    let app = app.start().await;
    let market = app.market().await;
    let buyer = app.user().await;
    let ends_at = app.database.in_seconds(4).await;
    let terms = json!({"ends_at": ends_at, "anti_sniping_window_s": 0});
    let auction = market.auction(terms).await;
    let end: DateTime<Utc> = ends_at.parse().unwrap();
    let passes = async |time| {
        eventually("a time to pass", || async {
            (app.database.now().await > time).then_some(())
        })
        .await;
    };

    passes(end - TimeDelta::seconds(1)).await;
    let mut head = app.database.pool.begin().await.unwrap();
    let lock = sqlx::query("select from log_head for update");
    lock.execute(&mut *head).await.unwrap();
    let late = buyer.bid(auction, STARTING_PRICE);
    let end_passes = async {
        passes(end).await;
        head.rollback().await.unwrap();
    };
    let (late, ()) = tokio::join!(late, end_passes);
    late.problem(409, "auction_over");
}

#[tokio::test]
async fn a_first_bid_above_the_buy_now_price_buys_at_that_price() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({"buy_now_price": 9_000})).await;
    app.user().await.bid(auction, 12_000).await.ok();
    let expected = [
        "auction.scheduled",
        "auction.opened",
        "auction.bought_now",
        "auction.closed",
    ];
    assert_eq!(event_types(&app, auction).await, expected);
    let price: i64 = sqlx::query_scalar(
        "select (data#>>'{outcome,price,amount}')::bigint from events where type = 'auction.closed'",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(price, 9_000);
}

#[tokio::test]
async fn late_bids_extend_an_auction_up_to_the_bound_that_it_shows() {
    let app = App::builder()
        .projector()
        .queries()
        .set("TIDEMARK_MARKET__EXTENSION_MAX_S", 7)
        .start()
        .await;
    let (market, buyer) = (app.market().await, app.user().await);
    let ends_at = app.database.in_seconds(30).await;
    let terms = json!({"ends_at": ends_at, "anti_sniping_window_s": 60});
    let auction = market.auction(terms).await;
    let bid = buyer.bid(auction, STARTING_PRICE).await.ok();
    let again = buyer.bid(auction, 2 * STARTING_PRICE).await.ok();
    assert_eq!(again.version(), bid.version() + 1, "it is extended once");
    app.settle().await;
    let path = format!("/v1/auctions/{auction}");
    let shown = app.client.get(&path).await.ok().body;
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let latest = time(&ends_at) + TimeDelta::seconds(7);
    for field in ["ends_at", "latest_end_at"] {
        assert_eq!(time(shown[field].as_str().unwrap()), latest, "{field}");
    }
}

#[tokio::test]
async fn a_late_bid_extends_the_auction() {
    let app = App::start().await;
    let market = app.market().await;
    let buyer = app.user().await;
    let terms = json!({"ends_at": app.database.in_seconds(30).await, "anti_sniping_window_s": 60});
    let auction = market.auction(terms).await;
    buyer.bid(auction, STARTING_PRICE).await.ok();
    let expected = [
        "auction.scheduled",
        "auction.opened",
        "auction.bid_placed",
        "auction.extended",
    ];
    assert_eq!(event_types(&app, auction).await, expected);
    let window: f64 = sqlx::query_scalar(
        "
        select extract(epoch from (data->>'ends_at')::timestamptz - recorded_at)::float8
          from events
         where type = 'auction.extended'
        ",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert!((59.0..=60.1).contains(&window), "{window}");
}
