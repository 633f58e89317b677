//! Pictures that products show, and how their bytes are answered.

use image::ImageFormat;
use reqwest::Response;
use serde_json::{Value, json};
use tidemark_tests::client::Answer;
use tidemark_tests::pictures::{picture, upload_for_category};
use tidemark_tests::{App, Client, eventually};

use super::removal::forgetful_command_api;

#[tokio::test]
async fn a_product_shows_the_pictures_that_its_seller_chose() {
    let app = App::start_all().await;
    let market = app.market().await;
    let product = market.listed().await;
    let (front, back) = (market.picture().await, market.picture().await);
    let shown = market.show(product, &[front, back]).await.ok();
    let reader = app.client.with_tidemark(shown.tidemark());
    let document = reader.get(&format!("/v1/products/{product}")).await.ok();
    let pictures = json!([
        {"media_id": front, "width": 40, "height": 30},
        {"media_id": back, "width": 40, "height": 30},
    ]);
    assert_eq!(document.body["pictures"], pictures);
    let seller = market.seller.with_tidemark(shown.tidemark());
    let media = seller.get(&format!("/v1/media/{front}")).await.ok();
    let shown_by = json!({"kind": "product", "id": product});
    assert_eq!(media.body["shown_by"], shown_by);
    assert_eq!(media.body["unshown_until"], json!(null));
    let delete = format!("/v1/media/{front}/delete");
    market
        .seller
        .post_empty(&delete)
        .await
        .problem(409, "media_shown");
    let other = market.listed().await;
    market
        .show(other, &[front])
        .await
        .problem(409, "media_shown");
    market.show(product, &[back]).await.ok();
    market.show(other, &[front]).await.ok();
}

#[tokio::test]
async fn a_category_shows_one_picture_and_what_it_showed_before_is_deleted() {
    let app = App::start_all().await;
    let (admin, category) = (app.admin().await, app.category(None).await);
    let path = format!("/v1/categories/{category}/picture");
    let of_product = app.market().await.picture().await;
    let choose = async |admin: &Client, picture: Value| {
        admin.post(&path, &json!({"picture": picture})).await
    };
    let shown = async |chosen: &Answer| {
        let reader = admin.with_tidemark(chosen.tidemark());
        let document = reader.get(&format!("/v1/categories/{category}")).await.ok();
        document.body["picture"].clone()
    };
    let refused = choose(admin, json!(of_product)).await;
    refused.problem(404, "media_not_found");
    assert_eq!(refused.pointers(), ["/picture"]);
    let first = upload_for_category(&app).await;
    let chosen = choose(admin, json!(first)).await.ok();
    let expected = json!({"media_id": first, "width": 40, "height": 30});
    assert_eq!(shown(&chosen).await, expected);
    let second = upload_for_category(&app).await;
    let process = forgetful_command_api(&app).await;
    let forgetful = admin.via_command_api(&process.url);
    let chosen = choose(&forgetful, json!(second)).await.ok();
    assert_eq!(shown(&chosen).await["media_id"], json!(second));
    let deleted = async |count: i64| {
        eventually("media to be deleted", || async {
            (app.database.count_of("media.deleted").await == count).then_some(())
        })
        .await;
    };
    deleted(1).await;
    let media = admin.get(&format!("/v1/media/{second}")).await.ok();
    assert_eq!(
        media.body["shown_by"],
        json!({"kind": "category", "id": category})
    );
    let removed = choose(&forgetful, Value::Null).await.ok();
    assert_eq!(shown(&removed).await, Value::Null);
    deleted(2).await;
}

#[tokio::test]
async fn a_picture_is_answered_with_what_keeps_browsers_from_running_it() {
    let app = App::start_all().await;
    let market = app.market().await;
    let id = market.picture().await;
    app.settle().await;
    let path = format!("/v1/media/{id}/full");
    let response = app.client.query(&path).send().await.unwrap();
    for (name, value) in [
        ("content-type", "image/png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("content-disposition", "inline"),
        ("cache-control", "public, max-age=300"),
        ("accept-ranges", "bytes"),
        ("cross-origin-resource-policy", "cross-origin"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let client = app.client.with("if-none-match", &tag);
    assert_eq!(client.query(&path).send().await.unwrap().status(), 304);
    let small = format!("/v1/media/{id}/huge");
    app.client.get(&small).await.problem(400, "invalid_path");
}

#[tokio::test]
async fn one_range_of_a_picture_is_answered_and_one_beyond_its_end_refused() {
    let app = App::start_all().await;
    let market = app.market().await;
    let file = picture(300, 300, ImageFormat::Png);
    let id = market.seller.upload("image/png", file).await.ok().id();
    app.settle().await;
    let path = format!("/v1/media/{id}/full");
    let get = async |name: &'static str, value: &str| -> Response {
        app.client
            .with(name, value)
            .query(&path)
            .send()
            .await
            .unwrap()
    };
    let whole = app.client.query(&path).send().await.unwrap();
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    let whole = whole.bytes().await.unwrap();
    let part = get("range", "bytes=100-199").await;
    assert_eq!(part.status(), 206);
    let content_range = format!("bytes 100-199/{}", whole.len());
    assert_eq!(part.headers()["content-range"], content_range);
    assert_eq!(part.bytes().await.unwrap(), whole[100..200]);
    let several = get("range", "bytes=0-1,4-5").await;
    assert_eq!(several.status(), 200);
    assert_eq!(several.bytes().await.unwrap(), whole);
    let beyond = app.client.with("range", "bytes=99999999-");
    let beyond = Answer::to(beyond.query(&path)).await;
    beyond.problem(416, "range_not_satisfiable");
    assert_eq!(
        beyond.header("content-range"),
        format!("bytes */{}", whole.len())
    );
    let ranged = app.client.with("range", "bytes=0-0");
    for (tag, status) in [(&*tag, 206), ("\"another\"", 200)] {
        let response = ranged.with("if-range", tag).query(&path).send().await;
        assert_eq!(response.unwrap().status(), status);
    }
}

/// RFC 9110, section 13.2.2: `If-Match` comes first.
#[tokio::test]
async fn a_picture_that_is_not_wanted_is_refused_and_the_refusal_kept_by_nobody() {
    let app = App::start_all().await;
    let market = app.market().await;
    let id = market.picture().await;
    app.settle().await;
    let path = format!("/v1/media/{id}/full");
    let whole = app.client.query(&path).send().await.unwrap();
    let tag = whole.headers()["etag"].to_str().unwrap();
    for ranged in [false, true] {
        let client = if ranged {
            app.client.with("range", "bytes=0-1")
        } else {
            app.client.clone()
        };
        for (wanted, status, code) in [
            ("\"x\"", 412, "precondition_failed"),
            ("x", 400, "invalid_if_match"),
        ] {
            let refused = client.with("if-match", wanted).query(&path);
            let refused = Answer::to(refused).await;
            refused.problem(status, code);
            assert_eq!(refused.header("cache-control"), "no-store");
            for name in [
                "etag",
                "content-disposition",
                "content-range",
                "accept-ranges",
            ] {
                assert_eq!(refused.header(name), "", "{name}");
            }
        }
        let wanted = client.with("if-match", tag).query(&path).send().await;
        let status = if ranged { 206 } else { 200 };
        assert_eq!(wanted.unwrap().status(), status);
    }
}

/// Else they would count for ever.
#[tokio::test]
async fn pictures_of_a_product_that_is_over_can_be_taken_away_and_deleted() {
    let app = App::start_all().await;
    let market = app.market().await;
    let seller = &market.seller;
    let (withdrawn, sold) = (market.listed().await, market.listed().await);
    for (product, code) in [(withdrawn, "product_withdrawn"), (sold, "product_sold")] {
        let (front, back) = (market.picture().await, market.picture().await);
        market.show(product, &[front, back]).await.ok();
        if product == withdrawn {
            let withdraw = format!("/v1/products/{product}/withdraw");
            seller.post_empty(&withdraw).await.ok();
        } else {
            let terms = json!({"buy_now_price": 9_000});
            let terms = market.terms(product, terms).await;
            let auction = seller.post("/v1/auctions", &terms).await.ok().id();
            let buy_now = format!("/v1/auctions/{auction}/buy-now");
            app.user().await.post_empty(&buy_now).await.ok();
        }
        let delete = format!("/v1/media/{front}/delete");
        let refused = seller.post_empty(&delete).await;
        refused.problem(409, "media_shown");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(&product.to_string()), "{detail}");
        let other = market.picture().await;
        market
            .show(product, &[back, other])
            .await
            .problem(409, code);
        let path = format!("/v1/products/{product}/pictures");
        let video = json!({"pictures": [], "video": "https://videos.example/1"});
        seller.post(&path, &video).await.problem(409, code);
        let taken = market.show(product, &[back]).await.ok();
        seller.post_empty(&delete).await.ok();
        let reader = seller.with_tidemark(taken.tidemark());
        let document = reader.get(&format!("/v1/products/{product}")).await.ok();
        assert_eq!(document.body["pictures"][0]["media_id"], json!(back));
        market.show(product, &[]).await.ok();
    }
}
