//! Auctions open and close by themselves, on time and once, whichever process is killed or away
//! meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tidemark_command_api::ProcessRoles;
use tidemark_tests::eventually;
use tidemark_tests::{App, Proxy};
use uuid::Uuid;

/// The latest that a timer may fire after its time.
const LATE_MAX: TimeDelta = TimeDelta::seconds(1);
/// The number of auctions that are due at the same time.
const MANY: usize = 12;
/// How often a projector is killed while the auctions close.
const KILLS: usize = 3;

/// An event of an auction, as the log stores it.
#[derive(sqlx::FromRow)]
struct StoredEvent {
    #[sqlx(rename = "type")]
    event_type: String,
    data: String,
    recorded_at: DateTime<Utc>,
}

impl StoredEvent {
    fn time(&self, field: &str) -> DateTime<Utc> {
        let data: Value = serde_json::from_str(&self.data).unwrap();
        data[field].as_str().unwrap().parse().unwrap()
    }
}

async fn events(app: &App, auction: Uuid) -> Vec<StoredEvent> {
    sqlx::query_as(
        "select type, data::text, recorded_at from events where stream_id = $1 order by version",
    )
    .bind(auction)
    .fetch_all(&app.database.pool)
    .await
    .unwrap()
}

fn types(events: &[StoredEvent]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect()
}

/// Waits until an auction is closed, and returns its events.
async fn closed(app: &App, auction: Uuid) -> Vec<StoredEvent> {
    eventually("the auction to close", || async {
        let events = events(app, auction).await;
        let is_closed = events.iter().any(|it| it.event_type == "auction.closed");
        is_closed.then_some(events)
    })
    .await
}

/// How many auctions have been closed.
async fn count_closed(app: &App) -> i64 {
    sqlx::query_scalar("select count(*) from events where type = 'auction.closed'")
        .fetch_one(&app.database.pool)
        .await
        .unwrap()
}

/// For each command that closes an auction, how often it was sent and whether it is done.
async fn attempts(app: &App) -> Vec<(i32, bool)> {
    sqlx::query_as(
        "select attempts, done_at is not null from reactor_actions where target = 'close'",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap()
}

/// Waits until every timer has fired, whenever it is due.
async fn wait_for_all_timers(app: &App) {
    app.settle().await;
    eventually("every timer to have fired", || async {
        let open = sqlx::query_scalar("select count(*) from reactor_actions where reactor = 'auction-timer' and done_at is null");
        let open: i64 = open.fetch_one(&app.database.pool).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
}

#[track_caller]
fn assert_on_time(at: DateTime<Utc>, due_at: DateTime<Utc>) {
    let late = at - due_at;
    assert!(
        late >= TimeDelta::zero() && late < LATE_MAX,
        "due at {due_at}, done at {at}"
    );
}

#[tokio::test]
async fn an_auction_opens_and_closes_at_its_times() {
    let app = App::builder().relay().projector().start().await;
    let market = app.market().await;
    let starts_at = app.database.in_seconds(3).await;
    let ends_at = app.database.in_seconds(5).await;
    let times = json!({"starts_at": starts_at, "ends_at": ends_at});
    let auction = market.auction(times).await;
    let early = app.user().await.bid(auction, 1_000).await;
    early.problem(409, "auction_not_open");

    let events = closed(&app, auction).await;
    let expected = ["auction.scheduled", "auction.opened", "auction.closed"];
    assert_eq!(types(&events), expected);
    assert_on_time(events[1].recorded_at, starts_at.parse().unwrap());
    assert_on_time(events[2].recorded_at, ends_at.parse().unwrap());
    let late = app.user().await.bid(auction, 1_000).await;
    late.problem(409, "auction_over");
}

#[tokio::test]
async fn timers_survive_a_projector_that_is_killed_and_fire_once() {
    let app = App::builder()
        .set("TIDEMARK_REACTOR__REQUEST_TIMEOUT_MS", 1_000)
        .set("TIDEMARK_REACTOR__LEASE_MS", 1_500)
        .start()
        .await;
    let mut projector = app.spawn_projector().await;
    let market = app.market().await;
    let mut products = Vec::new();
    for _ in 0..MANY {
        products.push(market.listed().await);
    }
    let ends_at = app.database.in_seconds(4).await;
    let mut auctions = Vec::new();
    for product in products {
        let terms = market.terms(product, json!({"ends_at": ends_at})).await;
        let scheduled = market.seller.post("/v1/auctions", &terms).await;
        auctions.push(scheduled.ok().id());
    }
    app.settle().await;
    projector.kill().await;
    let due_at: DateTime<Utc> = ends_at.parse().unwrap();
    eventually("the end of the auctions", || async {
        (app.database.now().await > due_at).then_some(())
    })
    .await;
    assert_eq!(
        count_closed(&app).await,
        0,
        "no projector runs that could close them"
    );

    for _ in 0..KILLS {
        let before = count_closed(&app).await;
        let mut projector = app.spawn_projector().await;
        eventually("a timer to fire", || async {
            let after = count_closed(&app).await;
            (after > before || after == i64::try_from(MANY).unwrap()).then_some(())
        })
        .await;
        projector.kill().await;
    }
    let _projector = app.spawn_projector().await;
    wait_for_all_timers(&app).await;
    let expected = ["auction.scheduled", "auction.opened", "auction.closed"];
    for auction in auctions {
        assert_eq!(types(&events(&app, auction).await), expected);
    }
}

#[tokio::test]
async fn timers_wait_for_a_command_api_that_is_away() {
    let mut app = App::builder().projector().start().await;
    let auction = app.auction_that_ends_without_command_api().await;
    eventually("the timer to try several times", || async {
        let sent = attempts(&app).await;
        sent.iter().all(|(attempts, _)| *attempts > 1).then_some(())
    })
    .await;
    assert_eq!(count_closed(&app).await, 0);

    app.start_command_api().await;
    wait_for_all_timers(&app).await;
    let expected = ["auction.scheduled", "auction.opened", "auction.closed"];
    assert_eq!(types(&events(&app, auction).await), expected);
}

#[tokio::test]
async fn timers_outlast_another_server_at_the_address_of_the_command_api() {
    let mut app = App::builder().projector().start().await;
    let auction = app.auction_that_ends_without_command_api().await;
    let query_api = app.another_query_api().await;
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let (listen, upstream) = (address(app.command_url()), address(&query_api.url));
    let server = Proxy::start(&listen, &upstream).await.unwrap();
    let path = format!("/v1/auctions/{auction}/close");
    let answer = app.client.post_empty(&path).await;
    answer.problem(404, "not_found");
    eventually("the timer to be answered several times", || async {
        let sent = attempts(&app).await;
        sent.iter().all(|(attempts, _)| *attempts > 2).then_some(())
    })
    .await;
    assert_eq!(count_closed(&app).await, 0);

    let roles = ProcessRoles {
        api: true,
        relay: false,
    };
    let right_server = app.another_command_api(roles).await;
    server.move_to(&address(&right_server.url));
    server.cut();
    wait_for_all_timers(&app).await;
    let expected = ["auction.scheduled", "auction.opened", "auction.closed"];
    assert_eq!(types(&events(&app, auction).await), expected);
}

#[tokio::test]
async fn a_late_bid_moves_the_close() {
    let app = App::builder().projector().start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let ends_at = app.database.in_seconds(4).await;
    let terms = json!({"ends_at": ends_at, "anti_sniping_window_s": 5});
    let auction = market.auction(terms).await;
    buyer.bid(auction, 1_000).await.ok();

    let events = closed(&app, auction).await;
    let bid = events
        .iter()
        .find(|it| it.event_type == "auction.bid_placed");
    let extended = events.iter().find(|it| it.event_type == "auction.extended");
    let end = extended.unwrap().time("ends_at");
    let moved = end - bid.unwrap().recorded_at;
    assert!(
        moved <= TimeDelta::seconds(5) && moved > TimeDelta::seconds(4),
        "the window counts from the bid: {moved}"
    );
    assert_on_time(events.last().unwrap().recorded_at, end);
    wait_for_all_timers(&app).await;
    assert_eq!(count_closed(&app).await, 1);
    let tried = attempts(&app).await;
    assert!(
        tried[0].0 > 1,
        "the timer did not try at the first end: {tried:?}"
    );
}

#[tokio::test]
async fn an_auction_ends_sold_or_unsold_or_below_its_reserve() {
    let app = App::start_all().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let ends_at = app.database.in_seconds(8).await;
    let auction = async |terms: Value| {
        let mut all = json!({"ends_at": ends_at});
        all.as_object_mut()
            .unwrap()
            .extend(terms.as_object().unwrap().clone());
        market.auction(all).await
    };
    let sold = auction(json!({})).await;
    let met = auction(json!({"reserve_price": 5_000})).await;
    let not_met = auction(json!({"reserve_price": 5_000})).await;
    let unsold = auction(json!({})).await;
    let bought = auction(json!({"buy_now_price": 9_000})).await;
    let cancelled = auction(json!({})).await;
    buyer.bid(sold, 1_300).await.ok();
    buyer.bid(met, 5_000).await.ok();
    buyer.bid(not_met, 4_999).await.ok();
    let path = format!("/v1/auctions/{bought}/buy-now");
    buyer.post_empty(&path).await.ok();
    let path = format!("/v1/auctions/{cancelled}/cancel");
    market.seller.post_empty(&path).await.ok();
    wait_for_all_timers(&app).await;
    app.settle().await;

    let won_for = |amount: i64| {
        let price = json!({"amount": amount, "currency": "EUR"});
        json!({"result": "sold", "winner_id": buyer.id, "price": price})
    };
    let ends = [
        (sold, "closed", won_for(1_300), "sold"),
        (met, "closed", won_for(5_000), "sold"),
        (
            not_met,
            "closed",
            json!({"result": "reserve_not_met"}),
            "listed",
        ),
        (unsold, "closed", json!({"result": "unsold"}), "listed"),
        (bought, "closed", won_for(9_000), "sold"),
        (cancelled, "cancelled", Value::Null, "listed"),
    ];
    for (auction, status, outcome, product) in ends {
        let path = format!("/v1/auctions/{auction}");
        let auction = app.client.get(&path).await.ok().body;
        assert_eq!(auction["status"], status, "{auction}");
        assert_eq!(auction["outcome"], outcome, "{auction}");
        let path = format!("/v1/products/{}", auction["product_id"].as_str().unwrap());
        let found = app.client.get(&path).await.ok().body;
        assert_eq!(found["status"], product, "{found}");
    }
    assert_eq!(count_closed(&app).await, 5);
}
