//! Whoever looks at an auction can read who sells. Of users who do not sell nothing can be read.

use tidemark_tests::{App, eventually};
use uuid::Uuid;

#[tokio::test]
async fn everybody_reads_the_name_of_a_seller_and_nothing_else() {
    let app = App::start_all().await;
    let seller = app.seller().await;
    app.settle().await;
    let path = |id: Uuid| format!("/v1/sellers/{id}");
    let read = app.client.get(&path(seller.id)).await.ok();
    assert_eq!(read.body["display_name"], seller.display_name);
    assert!(!read.text.contains(&seller.email), "{read:?}");
    let members: Vec<_> = read.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["avatar", "display_name", "id", "version"]);
}

#[tokio::test]
async fn the_names_of_those_who_do_not_sell_are_not_read() {
    let app = App::start_all().await;
    let buyer = app.user().await;
    app.settle().await;
    for id in [buyer.id, Uuid::nil()] {
        let read = app.client.get(&format!("/v1/sellers/{id}")).await;
        read.problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_name_of_an_erased_seller_is_gone() {
    let app = App::builder()
        .relay()
        .projector()
        .queries()
        .set("TIDEMARK_SEALING__KEY_CACHE_S", 0)
        .start()
        .await;
    let seller = app.seller().await;
    app.settle().await;
    let path = format!("/v1/sellers/{}", seller.id);
    let named = app.client.get(&path).await.ok();
    let cached = app.client.with("if-none-match", named.header("etag"));
    assert_eq!(cached.get(&path).await.status, 304);
    sqlx::query("select destroy_subject_keys($1)")
        .bind(seller.id)
        .execute(&app.database.pool)
        .await
        .unwrap();
    eventually("the erasure", || async {
        let read = app.client.get(&path).await;
        read.ok().body["display_name"].is_null().then_some(())
    })
    .await;
    // The version is the same, and yet a cache that asks is told what has changed.
    let read = cached.get(&path).await.ok();
    assert_eq!((read.status, read.version()), (200, named.version()));
    assert!(read.body["display_name"].is_null(), "{read:?}");
}
