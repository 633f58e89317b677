//! A reserve price is hidden: whoever bids learns whether it is met, and nobody how much it is.

use serde_json::json;
use tidemark_events::{Aggregate, Visibility};
use tidemark_tests::App;

/// A number that appears nowhere else in a test, so that searching for it proves something.
const RESERVE: i64 = 74_839_261;

#[tokio::test]
async fn the_reserve_is_in_no_public_event() {
    let app = App::start().await;
    let market = app.market().await;
    let buyer = app.user().await;
    let met = market
        .auction(json!({"reserve_price": RESERVE, "buy_now_price": 90_000_000}))
        .await;
    market.auction(json!({"reserve_price": RESERVE})).await;
    let bought = market
        .auction(json!({"reserve_price": RESERVE, "buy_now_price": 80_000_000}))
        .await;
    buyer.bid(met, 50_000_000).await.ok();
    buyer.bid(met, 75_000_000).await.ok();
    buyer
        .post_empty(&format!("/v1/auctions/{bought}/buy-now"))
        .await
        .ok();

    let holding = |aggregates: Vec<String>| {
        let pool = app.database.pool.clone();
        async move {
            let query = "
                select count(*)
                  from events
                 where aggregate = any ($1)
                   and (data::text || metadata::text) like '%' || $2 || '%'
            ";
            let found: i64 = sqlx::query_scalar(query)
                .bind(aggregates)
                .bind(RESERVE.to_string())
                .fetch_one(&pool)
                .await
                .unwrap();
            found
        }
    };
    let of = |visibility: Visibility| {
        let all = Aggregate::ALL.iter();
        all.filter(|aggregate| aggregate.visibility() == visibility)
            .map(|aggregate| aggregate.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(holding(of(Visibility::Public)).await, 0);
    assert_eq!(
        holding(of(Visibility::Internal)).await,
        3,
        "the positive control: the number is found where it is stored"
    );
    let met: Vec<bool> = sqlx::query_scalar(
        "
        select (data->>'reserve_met')::boolean
          from events
         where type = 'auction.bid_placed'
         order by position
        ",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(met, [false, true]);
}

/// A bid that is refused learns nothing about the reserve either.
#[tokio::test]
async fn the_reserve_is_in_no_answer() {
    let app = App::start().await;
    let market = app.market().await;
    let body = market
        .terms(market.listed().await, json!({"reserve_price": RESERVE}))
        .await;
    let scheduled = market.seller.post("/v1/auctions", &body).await.ok();
    let buyer = app.user().await;
    let auction = scheduled.id();
    let answers = [
        buyer.bid(auction, 1).await,
        buyer.bid(auction, 1_000).await,
        market.seller.bid(auction, 2_000).await,
        scheduled,
    ];
    for answer in answers {
        assert!(!answer.text.contains(&RESERVE.to_string()), "{answer:?}");
    }
}

/// Documents say whether the reserve is met, and never how much it is.
#[tokio::test]
async fn the_reserve_is_in_no_document() {
    let app = App::start_all().await;
    let market = app.market().await;
    let reserved = json!({"reserve_price": RESERVE});
    let auction = market.auction(reserved).await;
    let (buyer, auditor) = (app.user().await, app.auditor().await);
    let one = format!("/v1/auctions/{auction}");
    let mut met = Vec::new();
    for amount in [1_000, RESERVE] {
        let bid = buyer.bid(auction, amount).await.ok();
        let read = market
            .seller
            .with_tidemark(bid.tidemark())
            .get(&one)
            .await
            .ok();
        met.push(read.body["reserve_met"].clone());
        if amount == RESERVE {
            continue;
        }
        app.settle().await;
        for path in [
            one.clone(),
            format!("{one}/bids"),
            "/v1/auctions".to_owned(),
        ] {
            for client in [&app.client, &*market.seller, &*auditor] {
                let answer = client.get(&path).await.ok();
                assert!(!answer.text.contains(&RESERVE.to_string()), "{answer:?}");
            }
        }
        let rows = "select coalesce(string_agg(r::text, ''), '')
                      from (select doc::text from auction_rows
                            union all select doc::text from product_rows
                            union all select doc::text from bid_rows) r";
        let rows: String = sqlx::query_scalar(rows)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        assert!(rows.contains(&auction.to_string()), "{rows}");
        assert!(!rows.contains(&RESERVE.to_string()), "{rows}");
    }
    assert_eq!(met, [false, true]);
}
