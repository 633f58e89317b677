//! What queries show: never less than the client has seen, and to nobody what is another's.

mod fair;
mod lists;

use serde_json::json;
use tidemark_tests::App;
use tidemark_tests::market::INCREMENT;
use tokio_util::sync::CancellationToken;

const BIDS: i64 = 40;
/// A number that nothing else in a test is.
const RESERVE: i64 = 74_839_261;

#[tokio::test]
async fn a_client_reads_its_own_writes_through_any_replica() {
    let app = App::whole().await;
    let elsewhere = app.another_query_api().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let replicas = [(*buyer).clone(), buyer.asking(&elsewhere.url)];
    for (count, replica) in (1..=BIDS).zip(replicas.iter().cycle()) {
        let amount = 1_000 + count * INCREMENT;
        let bid = buyer.bid(auction, amount).await.ok();
        let replica = replica.at_least(bid.tidemark());
        let read = replica.get(&format!("/v1/auctions/{auction}")).await.ok();
        assert_eq!(read.body["bid_count"], count, "{read:?}");
        assert_eq!(read.body["version"], bid.version(), "{read:?}");
        assert!(read.position() >= bid.position(), "{read:?}");
        for path in [&format!("/v1/auctions/{auction}/bids"), "/v1/me/bids"] {
            let bids = replica.get(&format!("{path}?limit=1")).await.ok();
            assert_eq!(
                bids.body["items"][0]["amount"]["amount"], amount,
                "{bids:?}"
            );
            assert!(bids.position() >= bid.position(), "{bids:?}");
        }
    }
}

/// I11: a client that hands back the highest position it has seen goes back by none.
#[tokio::test]
async fn reads_through_two_replicas_are_monotonic() {
    let app = App::whole().await;
    let elsewhere = app.another_query_api().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    app.settle().await;
    let over = CancellationToken::new();
    let writing = async {
        for step in 0..BIDS {
            buyer.bid(auction, 1_000 + step * INCREMENT).await.ok();
        }
        over.cancel();
    };
    let reading = async {
        let paths = [
            format!("/v1/auctions/{auction}"),
            format!("/v1/auctions?seller={}", market.seller.id),
        ];
        let replicas = [app.client.clone(), app.client.asking(&elsewhere.url)];
        let mut seen = (app.client.get(&paths[0]).await.ok(), 0);
        let mut reads = 0;
        while !over.is_cancelled() {
            // Both documents through both replicas, in turn.
            let (path, replica) = (&paths[reads / 2 % 2], &replicas[reads % 2]);
            let answer = replica.at_least(seen.0.tidemark()).get(path).await.ok();
            let listed = answer.body.pointer("/items/0");
            let document = listed.unwrap_or(&answer.body);
            let count = document["bid_count"].as_i64().unwrap();
            assert!(answer.position() >= seen.0.position(), "{answer:?}");
            assert!(count >= seen.1, "{count} after {}: {answer:?}", seen.1);
            seen = (answer, count);
            reads += 1;
        }
        assert!(seen.1 > 0, "nothing changed while it read");
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn a_draft_is_its_sellers_alone() {
    let app = App::whole().await;
    let (market, other) = (app.market().await, app.seller().await);
    let draft = market.draft().await;
    let (one, all) = (format!("/v1/products/{draft}"), "/v1/products");
    app.settle().await;
    for anybody in [&app.client, &other, app.admin().await] {
        anybody.get(&one).await.problem(404, "not_found");
        for query in [
            "",
            "?status=draft",
            &format!("?seller={}", market.seller.id),
        ] {
            let list = anybody.get(&format!("{all}{query}")).await.ok();
            assert_eq!(list.body["items"], json!([]), "{list:?}");
        }
    }
    let own = market.seller.get(&one).await.ok();
    assert_eq!(own.body["status"], "draft");
    let list = market.seller.get(all).await.ok();
    assert_eq!(list.body["items"], json!([own.body]));

    let path = format!("/v1/products/{draft}/list");
    let listed = market.seller.post_empty(&path).await.ok();
    let shown = app.client.at_least(listed.tidemark()).get(&one).await.ok();
    assert_eq!(shown.body["status"], "listed");
    let list = other.at_least(listed.tidemark()).get(all).await.ok();
    assert_eq!(list.body["items"], json!([shown.body]));
}

#[tokio::test]
async fn a_profile_is_shown_in_clear_to_its_user_alone() {
    let app = App::whole().await;
    let (user, seller) = (app.user().await, app.seller().await);
    app.settle().await;
    for (user, roles) in [(&user, vec!["buyer"]), (&seller, vec!["buyer", "seller"])] {
        let profile = user.get("/v1/me").await.ok();
        assert_eq!(profile.body["id"], json!(user.id));
        assert_eq!(profile.body["email"], user.email);
        assert_eq!(profile.body["display_name"], user.display_name);
        assert_eq!(profile.body["roles"], json!(roles));
        let stored: String = sqlx::query_scalar("select doc::text from profile_rows where id = $1")
            .bind(user.id)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        assert!(!stored.contains(&user.email) && !stored.contains(&user.display_name));
    }
    app.client
        .get("/v1/me")
        .await
        .problem(401, "unauthenticated");
}

/// What is public says whether the hidden reserve is met, and never how much it is.
#[tokio::test]
async fn the_reserve_is_in_no_document() {
    let app = App::whole().await;
    let market = app.market().await;
    let reserved = json!({"reserve_price": RESERVE});
    let auction = market.auction(reserved).await;
    let (buyer, auditor) = (app.user().await, app.auditor().await);
    let one = format!("/v1/auctions/{auction}");
    let mut met = Vec::new();
    for amount in [1_000, RESERVE] {
        let bid = buyer.bid(auction, amount).await.ok();
        let read = market.seller.at_least(bid.tidemark()).get(&one).await.ok();
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
