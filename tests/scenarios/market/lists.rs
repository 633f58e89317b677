//! A list holds what its filter says, in the order that it says, complete from page to page.

mod listings;

use futures::future::join_all;
use serde_json::{Value, json};
use tidemark_tests::{Answer, App, Client};
use uuid::Uuid;

use listings::Listings;

/// Few auctions fit on a page, so that every list has several pages.
const LIMIT: usize = 3;

/// The ids of all items of a list, page by page.
async fn all_pages(client: &Client, path: &str) -> Vec<Uuid> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client
            .get(&format!("{path}limit={LIMIT}{cursor}"))
            .await
            .ok();
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= LIMIT && !items.is_empty(), "{page:?}");
        ids.extend(items.iter().map(|item| id(&item["id"])));
        match next(&page) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

fn next(page: &Answer) -> Option<&str> {
    page.body["next"].as_str()
}

fn id(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

impl Listings {
    /// The names of the auctions that a query lists, in its order.
    async fn names(&self, app: &App, query: &str) -> Vec<&'static str> {
        let ids = all_pages(&app.client, &format!("/v1/auctions?{query}&")).await;
        let name = |id| self.auctions.iter().find(|(_, known)| **known == id);
        ids.into_iter().map(|id| *name(id).unwrap().0).collect()
    }
}

#[tokio::test]
async fn filters_select_the_auctions_that_they_describe() {
    let app = App::start_all().await;
    let listings = Listings::create(&app).await;
    let buyer = app.user().await;
    buyer.bid(listings.auctions["lamp"], 2_000).await.ok();
    let cancel = format!("/v1/auctions/{}/cancel", listings.auctions["chart"]);
    listings.sellers[1].post_empty(&cancel).await.ok();
    app.settle().await;

    let [top, child, grandchild, beside] = listings.categories;
    let [one, other] = &listings.sellers;
    for (query, expected) in [
        (
            String::new(),
            vec!["sextant", "clock", "chart", "lamp", "flag"],
        ),
        (
            "status=open".into(),
            vec!["sextant", "clock", "lamp", "flag"],
        ),
        ("status=cancelled".into(), vec!["chart"]),
        (format!("category={top}"), vec!["sextant", "clock", "chart"]),
        (format!("category={child}"), vec!["clock", "chart"]),
        (format!("category={grandchild}"), vec!["chart"]),
        (format!("category={beside}"), vec!["lamp", "flag"]),
        (format!("seller={}", one.id), vec!["sextant", "clock"]),
        (
            format!("seller={}", other.id),
            vec!["chart", "lamp", "flag"],
        ),
        ("currency=DKK".into(), vec!["flag"]),
        // Prices are the present ones, and the lamp's has risen.
        (
            "currency=EUR&price_min=700".into(),
            vec!["clock", "chart", "lamp"],
        ),
        (
            "currency=EUR&price_max=700".into(),
            vec!["sextant", "clock", "chart"],
        ),
        (
            "currency=EUR&price_min=501&price_max=1999".into(),
            vec!["clock", "chart"],
        ),
        ("q=brass".into(), vec!["sextant", "clock"]),
        ("q=brass%20-clock".into(), vec!["sextant"]),
        ("q=%22the%20sound%22".into(), vec!["chart"]),
        // The case of letters and forms of compatibility make no difference.
        ("q=BRASS".into(), vec!["sextant", "clock"]),
        ("q=%CE%9F%CE%94%CE%9F%CE%A3".into(), vec!["flag"]),
        ("q=STRASSE%20fin".into(), vec!["flag"]),
        ("q=stra%E1%BA%9Ee".into(), vec!["flag"]),
        (
            format!("category={top}&status=open&q=brass&seller={}", one.id),
            vec!["sextant", "clock"],
        ),
    ] {
        assert_eq!(listings.names(&app, &query).await, expected, "{query}");
    }
    for nothing in ["status=scheduled", "q=nothing", "currency=USD"] {
        let page = app
            .client
            .get(&format!("/v1/auctions?{nothing}"))
            .await
            .ok();
        assert_eq!(page.body, json!({"items": [], "next": null}));
    }
    for unpriced in ["price_min=1", "price_max=1", "sort=price"] {
        let refused = app.client.get(&format!("/v1/auctions?{unpriced}")).await;
        assert_eq!(
            (refused.status, refused.pointers()),
            (422, vec!["currency"])
        );
    }
}

#[tokio::test]
async fn every_order_is_complete_page_by_page() {
    let app = App::start_all().await;
    let listings = Listings::create(&app).await;
    let buyer = app.user().await;
    for (name, amounts) in [("clock", vec![800, 900]), ("lamp", vec![900])] {
        for amount in amounts {
            buyer.bid(listings.auctions[name], amount).await.ok();
        }
    }
    app.settle().await;
    for (query, expected) in [
        (
            "sort=ends_at",
            vec!["sextant", "clock", "chart", "lamp", "flag"],
        ),
        (
            "sort=newest",
            vec!["flag", "lamp", "chart", "clock", "sextant"],
        ),
        // Auctions of equal price are in the order of their ids, which is that of their scheduling.
        (
            "sort=price&currency=EUR",
            vec!["sextant", "chart", "clock", "lamp"],
        ),
        (
            "sort=bid_count",
            vec!["clock", "lamp", "flag", "chart", "sextant"],
        ),
    ] {
        assert_eq!(listings.names(&app, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_cursor_is_accepted_only_by_the_query_that_gave_it() {
    let app = App::start_all().await;
    let listings = Listings::create(&app).await;
    app.settle().await;
    let get = async |query: &str| app.client.get(&format!("/v1/auctions?{query}")).await;
    let page = get("limit=2&currency=EUR").await.ok();
    let cursor = next(&page).unwrap();
    // A page of another size goes on after the same item.
    get(&format!("limit=1&currency=EUR&cursor={cursor}"))
        .await
        .ok();
    let mut forged = cursor.to_owned();
    forged.replace_range(..1, if cursor.starts_with('a') { "b" } else { "a" });
    for wrong in [
        format!("currency=EUR&cursor={forged}"),
        "currency=EUR&cursor=x".to_owned(),
        "currency=EUR&cursor=".to_owned(),
        format!("currency=DKK&cursor={cursor}"),
        format!("cursor={cursor}"),
        format!("currency=EUR&sort=price&cursor={cursor}"),
        format!(
            "currency=EUR&seller={}&cursor={cursor}",
            listings.sellers[0].id
        ),
    ] {
        get(&wrong).await.problem(400, "invalid_cursor");
    }
    let elsewhere = app
        .client
        .get(&format!("/v1/products?cursor={cursor}"))
        .await;
    elsewhere.problem(400, "invalid_cursor");
}

#[tokio::test]
async fn users_list_their_own_bids_auctions_and_wins() {
    let app = App::start_all().await;
    let listings = Listings::create(&app).await;
    let buyers = [app.user().await, app.user().await];
    let market = app.market().await;
    let mut bought = Vec::new();
    for _ in 0..4 {
        let auction = market.auction(json!({"buy_now_price": 5_000})).await;
        let path = format!("/v1/auctions/{auction}/buy-now");
        buyers[0].post_empty(&path).await.ok();
        bought.insert(0, auction);
    }
    for amount in [1_000, 1_200, 1_400, 1_600] {
        buyers[0].bid(listings.auctions["lamp"], amount).await.ok();
        buyers[1]
            .bid(listings.auctions["lamp"], amount + 100)
            .await
            .ok();
    }
    app.settle().await;

    assert_eq!(all_pages(&buyers[0], "/v1/me/auctions/won?").await, bought);
    assert_eq!(all_pages(&market.seller, "/v1/me/auctions?").await, bought);
    let of_the_lamp = format!("/v1/auctions/{}/bids?", listings.auctions["lamp"]);
    let all = all_pages(&app.client, &of_the_lamp).await;
    let own = buyers.iter().map(|buyer| all_pages(buyer, "/v1/me/bids?"));
    let own = join_all(own).await;
    assert_eq!((all.len(), own[0].len(), own[1].len()), (8, 4, 4));
    // The newest bid comes first, and the second buyer placed every other one.
    assert_eq!(
        all.iter().step_by(2).collect::<Vec<_>>(),
        own[1].iter().collect::<Vec<_>>()
    );
    assert_eq!(
        all.iter().skip(1).step_by(2).collect::<Vec<_>>(),
        own[0].iter().collect::<Vec<_>>()
    );

    for nobodys in ["/v1/me/auctions/won", "/v1/me/auctions", "/v1/me/bids"] {
        app.client
            .get(nobodys)
            .await
            .problem(401, "unauthenticated");
        let page = listings.sellers[0].get(nobodys).await.ok();
        let expected = if nobodys == "/v1/me/auctions" { 2 } else { 0 };
        assert_eq!(page.body["items"].as_array().unwrap().len(), expected);
    }
    // A cursor of another user is refused.
    let page = buyers[0].get("/v1/me/bids?limit=1").await.ok();
    let path = format!("/v1/me/bids?cursor={}", next(&page).unwrap());
    buyers[1].get(&path).await.problem(400, "invalid_cursor");
}
