//! Lists: filters, orders, pages, and requests for lists that are refused.

use serde_json::json;
use tidemark_events::CategoryId;
use tidemark_events::samples::euro_cents;
use tidemark_read_models::market::auction::{Auction, Status};
use tidemark_read_models::market::bid::Bid;
use tidemark_read_models::market::category::Category;
use tidemark_read_models::market::product::Product;
use tidemark_read_models::market::{auction, bid, category, product};
use uuid::Uuid;

use super::harness::{Api, Database, auction};

/// A tree of categories, and five auctions in them.
async fn with_market(test: &str) -> (Database, Api) {
    let database = Database::new(test).await;
    database.set_head(99).await;
    for (id, parent) in [(10, None), (11, Some(10)), (12, Some(11)), (20, None)] {
        let row = category::Row {
            id: CategoryId(Uuid::from_u128(id)),
            parent_id: parent.map(|id| CategoryId(Uuid::from_u128(id))),
            name: format!("Category {id}"),
            slug: format!("category-{id}"),
            sort_order: 1,
            active: true,
            picture: None,
            version: 1,
        };
        database.write::<Category>(row.id.0, 1, &row).await;
    }
    for id in 1..=5 {
        let row = numbered(id);
        database.write::<Auction>(row.id.0, 2, &row).await;
    }
    let api = Api::start(&database, &[]).await;
    (database, api)
}

/// An auction that ends the later, costs the less and has the more bids (up to 3), the higher its
/// number is.
fn numbered(id: u64) -> auction::Row {
    let mut row = auction(id.into());
    let category = if id.is_multiple_of(2) { 20 } else { 12 };
    row.category_id = CategoryId(Uuid::from_u128(category));
    row.status = if id == 5 {
        Status::Closed
    } else {
        Status::Open
    };
    row.title = format!("Camera number{id}");
    row.current_price = euro_cents(1_000 - i64::try_from(id).unwrap()).into();
    row.bid_count = id.min(3);
    row.ends_at += chrono::TimeDelta::microseconds(i64::try_from(id).unwrap());
    row
}

/// The numbers of the auctions on all pages.
async fn all_numbers(api: &Api, query: &str) -> Vec<u128> {
    let mut found = Vec::new();
    let mut path = format!("/auctions?{query}");
    loop {
        let page = api.get(&path, &[]).await;
        assert_eq!(page.status, 200, "{page:?}");
        let ids = page.column("id").into_iter();
        found.extend(ids.map(|id| id.as_str().unwrap().parse::<Uuid>().unwrap().as_u128()));
        let Some(next) = page.body["next"].as_str() else {
            return found;
        };
        path = format!("/auctions?{query}&cursor={next}");
    }
}

#[tokio::test]
async fn an_order_holds_from_page_to_page() {
    let (_database, api) = with_market("orders").await;
    assert_eq!(all_numbers(&api, "limit=2").await, [1, 2, 3, 4, 5]);
    assert_eq!(
        all_numbers(&api, "limit=2&sort=price&currency=EUR").await,
        [5, 4, 3, 2, 1]
    );
    assert_eq!(
        all_numbers(&api, "limit=2&sort=bid_count").await,
        [5, 4, 3, 2, 1]
    );
    assert_eq!(
        all_numbers(&api, "limit=1&sort=newest").await,
        [5, 4, 3, 2, 1]
    );
}

#[tokio::test]
async fn filters_narrow_a_list_and_a_category_includes_those_below_it() {
    let (_database, api) = with_market("filters").await;
    let category = |id| format!("category={}", Uuid::from_u128(id));
    assert_eq!(all_numbers(&api, &category(10)).await, [1, 3, 5]);
    assert_eq!(all_numbers(&api, &category(20)).await, [2, 4]);
    assert_eq!(
        all_numbers(&api, &format!("status=open&{}", category(12))).await,
        [1, 3]
    );
    assert_eq!(
        all_numbers(&api, "currency=EUR&price_min=997&price_max=998").await,
        [2, 3]
    );
    assert_eq!(all_numbers(&api, "currency=USD").await, [0; 0]);
    assert_eq!(all_numbers(&api, "q=camera+-number3").await, [1, 2, 4, 5]);
}

#[tokio::test]
async fn a_list_is_complete_although_no_page_examines_more_than_it_may() {
    let (database, _) = with_market("examined").await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__EXAMINED_ROWS_MAX", "1")]).await;
    for (query, expected) in [
        ("limit=1&q=camera+-number3", &[1, 2, 4, 5][..]),
        ("limit=1&status=open&q=camera+-number1+-number2", &[3, 4]),
        (
            "limit=1&sort=price&currency=EUR&q=camera+-number3",
            &[5, 4, 2, 1],
        ),
        ("limit=1&currency=EUR&price_min=997&price_max=998", &[2, 3]),
        // What is looked up is few, and sorted.
        ("limit=1&sort=newest&q=number2", &[2]),
    ] {
        assert_eq!(all_numbers(&api, query).await, expected, "{query}");
    }
    let first = api
        .get("/auctions?limit=1&status=open&q=-number1+-number2", &[])
        .await;
    assert_eq!(first.column("id"), [""; 0]);
    assert_ne!(first.body["next"], json!(null));
}

#[tokio::test]
async fn a_list_of_bids_goes_on_although_the_last_bid_that_was_shown_is_gone() {
    let (database, api) = with_market("bids").await;
    let auction = Uuid::from_u128(1);
    for position in 3..=5_u32 {
        let bid: bid::Row = serde_json::from_value(json!({
            "id": Uuid::from_u128(position.into()), "auction_id": auction,
            "bidder_id": Uuid::from_u128(7), "seller_id": Uuid::from_u128(8),
            "amount": {"amount": 1_000, "currency": "EUR"}, "placed_at": "2027-01-01T00:00:00Z",
            "version": position
        }))
        .unwrap();
        database.write::<Bid>(bid.id, position.into(), &bid).await;
    }
    let bidder = api.authorization(7, "buyer");
    for path in [format!("/auctions/{auction}/bids"), "/me/bids".to_owned()] {
        let page = async |cursor: &str| {
            let path = format!("{path}?limit=1{cursor}");
            api.get(&path, &[("authorization", &bidder)]).await
        };
        let first = page("").await;
        assert_eq!(first.column("version"), [5]);
        let cursor = format!("&cursor={}", first.body["next"].as_str().unwrap());
        let hide = "update bid_rows set generation = 2 where position = 5";
        let parts = "create table if not exists bid_rows_2 partition of bid_rows for values in (2)";
        database.execute(format!("{parts}; {hide}")).await;
        assert_eq!(page(&cursor).await.column("version"), [4]);
        database.execute("update bid_rows set generation = 1").await;
    }
}

#[tokio::test]
async fn a_page_reflects_at_least_what_the_page_before_it_did() {
    let (database, _) = with_market("later_pages").await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__WAIT_MS", "10")]).await;
    for path in ["/auctions?limit=2", "/categories?limit=2"] {
        database.set_head(99).await;
        database.set_checkpoints(2).await;
        let page = api.get(path, &[]).await;
        let path = format!("{path}&cursor={}", page.body["next"].as_str().unwrap());
        let ask = async |token: &str| api.get(&path, &[("tidemark", token)]).await;
        assert_eq!(ask("1.1").await.status, 200);
        assert_eq!(ask("1.3").await.problem(), (503, "behind"));
        assert_eq!(ask("2.1").await.problem(), (409, "other_timeline"));
        database.set_checkpoints(1).await;
        assert_eq!(ask("1.1").await.problem(), (503, "behind"));
        database.set_head(1).await;
        assert_eq!(ask("1.1").await.problem(), (400, "future_position"));
        let without_token = api.get(&path, &[]).await;
        assert_eq!(without_token.problem(), (400, "future_position"));
    }
}

#[tokio::test]
async fn invalid_filters_and_cursors_are_refused() {
    let (_database, api) = with_market("refusals").await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1000000000",
        "limit=x",
        "offset=1",
        "sort=id;drop",
        "sort=price",
        "price_min=1",
        "status=gone",
        "currency=EURO",
        "currency=XAU",
        "category=1",
        "currency=EUR&price_min=998&price_max=997",
        "q=",
        "q=%22",
    ] {
        let answer = api.get(&format!("/auctions?{query}"), &[]).await;
        assert_eq!(answer.problem(), (422, "invalid"), "{query}");
    }
    let reversed = "/auctions?currency=EUR&price_min=998&price_max=997";
    let errors = &api.get(reversed, &[]).await.body["errors"];
    assert_eq!(errors[0]["parameter"], "price_max");
    let same = "currency=EUR&price_min=998&price_max=998";
    assert_eq!(all_numbers(&api, same).await, [2]);
    let long = format!("/auctions?q={}", "x".repeat(201));
    assert_eq!(api.get(&long, &[]).await.problem(), (422, "invalid"));
    for operators in [
        "%25",
        "_",
        "'",
        "%3A*%26%7C!()%3C-%3E",
        "%5C",
        "((((((((%2B)%2B",
    ] {
        let alone = api.get(&format!("/auctions?q={operators}"), &[]).await;
        assert_eq!(alone.problem(), (422, "invalid"), "{operators}");
        let with_word = format!("q=nothing+{operators}");
        assert_eq!(all_numbers(&api, &with_word).await, [0; 0], "{operators}");
    }
    // As words, and as a letter of a compatibility form; more `-` than PostgreSQL takes.
    for found in [
        "camera",
        "%E3%8E%8F",
        "camera+-----------------------------------------x",
    ] {
        let answer = api.get(&format!("/auctions?q={found}"), &[]).await;
        assert_eq!(answer.status, 200, "{found}");
    }
    let page = api.get("/auctions?limit=2", &[]).await;
    let cursor = page.body["next"].as_str().unwrap();
    let (truncated, _) = cursor.split_at(cursor.len() - 4);
    for query in [
        format!("cursor={cursor}&status=open"),
        format!("cursor={truncated}"),
        "cursor=forged".to_owned(),
    ] {
        let answer = api.get(&format!("/auctions?{query}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_cursor"), "{query}");
        assert!(answer.detail().contains("Start again without one."));
    }
}

#[tokio::test]
async fn only_its_seller_sees_a_draft() {
    let (database, api) = with_market("drafts").await;
    let draft: product::Row = serde_json::from_value(json!({
        "id": Uuid::from_u128(1), "seller_id": Uuid::from_u128(7), "category_id": Uuid::from_u128(10),
        "title": "Camera", "description": "", "condition": "good", "images": [],
        "pictures": [], "video": null, "specifications": {}, "shipping": null, "status": "draft", "sold_in": null, "version": 1
    }))
    .unwrap();
    database.write::<Product>(draft.id.0, 3, &draft).await;
    let path = format!("/products/{}", draft.id);
    let (seller, other) = (
        api.authorization(7, "seller"),
        api.authorization(8, "seller"),
    );
    assert_eq!(
        api.get(&path, &[("authorization", &seller)]).await.status,
        200
    );
    assert_eq!(
        api.get(&path, &[("authorization", &other)]).await.status,
        404
    );
    assert_eq!(api.get(&path, &[]).await.status, 404);
    let listed = api.get("/products", &[("authorization", &seller)]).await;
    assert_eq!(listed.column("status"), ["draft"]);
    assert_eq!(api.get("/products", &[]).await.column("status"), [""; 0]);
}

#[tokio::test]
async fn a_category_is_found_by_id_and_by_slug() {
    let (_database, api) = with_market("slugs").await;
    let by_slug = api.get("/categories/category-11", &[]).await;
    let by_id = api
        .get(&format!("/categories/{}", Uuid::from_u128(11)), &[])
        .await;
    assert_eq!((by_slug.status, &by_slug.body), (200, &by_id.body));
    assert_eq!(
        api.get("/categories/none", &[]).await.problem(),
        (404, "not_found")
    );
    assert_eq!(
        api.get("/categories?limit=3", &[])
            .await
            .column("slug")
            .len(),
        3
    );
}
