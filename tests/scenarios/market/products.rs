//! Products from the draft to the withdrawal: each of their states allows some commands and refuses all
//! others, and only its seller sees a draft.

use serde_json::json;
use tidemark_tests::App;
use tidemark_tests::market::product;
use uuid::Uuid;

#[tokio::test]
async fn products_are_drafted_listed_and_withdrawn() {
    let app = App::start().await;
    let market = app.market().await;
    let id = market.draft().await;
    let path = |action: &str| format!("/v1/products/{id}/{action}");
    let (list, withdraw) = (path("list"), path("withdraw"));
    let other = app.seller().await;
    other.post_empty(&list).await.problem(403, "not_the_seller");

    market.seller.post_empty(&list).await.ok();
    market
        .seller
        .post_empty(&list)
        .await
        .problem(409, "product_already_listed");
    other
        .post_empty(&withdraw)
        .await
        .problem(403, "not_the_seller");
    market.seller.post_empty(&withdraw).await.ok();
    let head = app.database.head().await;
    for path in [&list, &withdraw] {
        market
            .seller
            .post_empty(path)
            .await
            .problem(409, "product_withdrawn");
    }
    let auction = market.terms(id, json!({})).await;
    let answer = market.seller.post("/v1/auctions", &auction).await;
    answer.problem(409, "product_withdrawn");
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn a_product_needs_an_active_category() {
    let app = App::start().await;
    let market = app.market().await;
    let (draft, listed) = (market.draft().await, market.listed().await);
    let deactivate = format!("/v1/categories/{}/deactivate", market.category_id);
    app.admin().await.post_empty(&deactivate).await.ok();
    let head = app.database.head().await;

    let seller = &market.seller;
    let answer = seller
        .post("/v1/products", &product(market.category_id))
        .await;
    answer.problem(409, "category_inactive");
    let answer = seller.post("/v1/products", &product(Uuid::nil())).await;
    answer.problem(404, "category_not_found");
    let answer = seller
        .post_empty(&format!("/v1/products/{draft}/list"))
        .await;
    answer.problem(409, "category_inactive");
    let auction = market.terms(listed, json!({})).await;
    let answer = seller.post("/v1/auctions", &auction).await;
    answer.problem(409, "category_inactive");
    assert_eq!(app.database.head().await, head);
    // A listed product may still be withdrawn.
    seller
        .post_empty(&format!("/v1/products/{listed}/withdraw"))
        .await
        .ok();
}

#[tokio::test]
async fn a_product_needs_active_categories_all_the_way_up() {
    let app = App::start().await;
    let market = app.market().await;
    let (top, seller) = (market.category_id, &market.seller);
    let below = app.category(Some(app.category(Some(top)).await)).await;
    let body = product(below);
    let draft = seller.post("/v1/products", &body).await.ok().id();
    let listed = seller.post("/v1/products", &body).await.ok().id();
    let list = |id: Uuid| format!("/v1/products/{id}/list");
    seller.post_empty(&list(listed)).await.ok();
    let auction = market.terms(listed, json!({})).await;

    let admin = app.admin().await;
    let path = |action: &str| format!("/v1/categories/{top}/{action}");
    admin.post_empty(&path("deactivate")).await.ok();
    let head = app.database.head().await;
    for refused in [
        seller.post("/v1/products", &body).await,
        seller.post_empty(&list(draft)).await,
        seller.post("/v1/auctions", &auction).await,
    ] {
        refused.problem(409, "category_inactive");
    }
    assert_eq!(app.database.head().await, head);
    admin.post_empty(&path("activate")).await.ok();
    seller.post("/v1/products", &body).await.ok();
    seller.post_empty(&list(draft)).await.ok();
    seller.post("/v1/auctions", &auction).await.ok();
}

#[tokio::test]
async fn a_draft_is_its_sellers_alone() {
    let app = App::start_all().await;
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
    let shown = app
        .client
        .with_tidemark(listed.tidemark())
        .get(&one)
        .await
        .ok();
    assert_eq!(shown.body["status"], "listed");
    let list = other.with_tidemark(listed.tidemark()).get(all).await.ok();
    assert_eq!(list.body["items"], json!([shown.body]));
}
