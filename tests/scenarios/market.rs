//! Categories and products from their beginning to their end, and what may not follow what (row 78).
//! Rules that rest on several streams, one request after another.

use serde_json::json;
use tidemark_tests::App;
use tidemark_tests::market::product;
use uuid::Uuid;

#[tokio::test]
async fn categories_are_a_tree_with_unique_slugs() {
    let app = App::start().await;
    let admin = app.admin().await;
    let create = async |parent: Option<Uuid>, slug: &str| {
        let body = json!({"parent_id": parent, "name": "Maps", "slug": slug, "sort_order": -1});
        admin.post("/v1/categories", &body).await
    };
    let maps = create(None, "maps").await.ok().id();
    let sea = create(Some(maps), "sea-maps").await.ok().id();
    let head = app.database.head().await;
    for parent in [None, Some(maps), Some(sea)] {
        create(parent, "maps").await.problem(409, "slug_taken");
    }
    create(Some(Uuid::nil()), "land-maps")
        .await
        .problem(404, "category_not_found");
    // A user is no category.
    create(Some(admin.id), "land-maps")
        .await
        .problem(404, "category_not_found");
    assert_eq!(app.database.head().await, head);

    let path = |action: &str| format!("/v1/categories/{maps}/{action}");
    admin
        .post_empty(&path("activate"))
        .await
        .problem(409, "category_active");
    admin.post_empty(&path("deactivate")).await.ok();
    admin
        .post_empty(&path("deactivate"))
        .await
        .problem(409, "category_inactive");
    create(Some(maps), "land-maps")
        .await
        .problem(409, "category_inactive");
    create(Some(sea), "harbour-maps").await.ok();
    admin.post_empty(&path("activate")).await.ok();
    create(Some(maps), "land-maps").await.ok();
}

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
    // What is there may go.
    seller
        .post_empty(&format!("/v1/products/{listed}/withdraw"))
        .await
        .ok();
}
