//! Categories form a tree, their slugs are unique, and an inactive one takes nothing new.

use serde_json::json;
use tidemark_tests::App;
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
    let orphan = create(Some(Uuid::nil()), "land-maps").await;
    orphan.problem(404, "category_not_found");
    assert_eq!(orphan.pointers(), ["/parent_id"]);
    // This id is that of a user.
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
    // This one is active, but not all of those above it are.
    create(Some(sea), "harbour-maps")
        .await
        .problem(409, "category_inactive");
    admin.post_empty(&path("activate")).await.ok();
    create(Some(sea), "harbour-maps").await.ok();
    create(Some(maps), "land-maps").await.ok();
}
