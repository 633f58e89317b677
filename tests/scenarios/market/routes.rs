//! The routes of categories, products and auctions, each with a request that it accepts.

use serde_json::{Value, json};
use tidemark_tests::market::{eur, product};
use tidemark_tests::{App, Client, Market};

use crate::http::routes::{Audience, Route};

const SELLER: Audience = Audience::Role("seller");
const BUYER: Audience = Audience::Role("buyer");
const ADMIN: Audience = Audience::Role("admin");
const TIMER: Audience = Audience::Service("auction-timer");

/// More than any amount may be, in minor units.
const TOO_MUCH: i64 = 1_000_000_000_000_001;

/// Postgres refuses a leap second, and most of the others name no time that all clients agree on.
const NO_TIMES: [&str; 12] = [
    "",
    "tomorrow",
    "2027-02-30T00:00:00Z",
    "2027-06-30T23:59:60Z",
    "2027-06-30T23:59:60.5Z",
    "2027-01-01T00:00:00 UTC",
    "2027-01-01T00:00:00+0000",
    "2027-01-01 00:00:00Z",
    "2027-1-1T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59-00:01",
    "+10000-01-01T00:00:00Z",
];

/// What is no currency, and what is one that nobody pays in: none, one for tests, gold, a fund.
const NO_CURRENCIES: [&str; 8] = ["eur", "EURO", "", "XXX", "XTS", "XAU", "CHE", "HRK"];

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let market = app.market().await;
    let mut routes = categories(app, &market).await;
    routes.extend(products(&market).await);
    routes.extend(auctions(app, &market).await);
    routes
}

async fn categories(app: &App, market: &Market<'_>) -> Vec<Route> {
    let admin: &Client = app.admin().await;
    let inactive = app.category(None).await;
    let deactivate = format!("/v1/categories/{inactive}/deactivate");
    admin.post_empty(&deactivate).await.ok();
    let body = json!({
        "parent_id": market.category_id,
        "name": "Sextants",
        "slug": "sextants-2",
        "sort_order": 3,
    });
    let id = market.category_id;
    let slugs = [
        "",
        "A",
        "a--b",
        "-a",
        &"a".repeat(61),
        &id.to_string(),
        &id.simple().to_string(),
    ]
    .map(Value::from);
    let no_ids = [
        "17",
        "",
        &id.simple().to_string(),
        &id.urn().to_string(),
        &id.braced().to_string(),
    ];
    let no_ids = no_ids.map(Value::from);
    let sort_orders = [json!(1_i64 << 31), json!(-(1_i64 << 31) - 1), json!(1.5)];
    vec![
        Route::post("/v1/categories", ADMIN, admin)
            .with(body)
            .optional(&["/parent_id", "/sort_order"])
            .out_of_range("/parent_id", no_ids)
            .line("/name", 100)
            .out_of_range("/slug", slugs)
            .out_of_range("/sort_order", sort_orders),
        Route::post("/v1/categories/{id}/activate", ADMIN, admin).about(inactive),
        Route::post("/v1/categories/{id}/deactivate", ADMIN, admin).about(app.category(None).await),
    ]
}

async fn products(market: &Market<'_>) -> Vec<Route> {
    let seller: &Client = &market.seller;
    let many = |n: usize, item: &str| json!(vec![item; n]);
    let countries = [
        many(0, ""),
        many(251, "DE"),
        many(2, "DE"),
        json!(["DE", "DK", "DE"]),
        many(1, "de"),
        many(1, "DEU"),
        many(1, "XX"),
        many(1, "UK"),
    ];
    let properties: Value = (0..51).map(|n| (n.to_string(), json!("a"))).collect();
    let specifications = [
        json!({"": "a"}),
        json!({"a\u{202e}b": "c"}),
        json!({"a\nb": "c"}),
        json!({"a".repeat(201): "b"}),
        // One name in two Unicode forms.
        json!({"Gr\u{f6}\u{df}e": "1", "Gro\u{308}\u{df}e": "2"}),
        properties,
    ];
    let no_addresses = [
        json!(""),
        json!("https://images.example/a\nb"),
        json!("clock.jpg"),
        json!("//images.example/clock.jpg"),
        json!("javascript:alert(1)"),
        json!("data:image/png;base64,AAAA"),
        json!("https://ada:secret@images.example/"),
        json!("https://images..example/"),
        json!("https://images.example/%00"),
        json!(format!("https://images.example/{}", "a".repeat(478))),
    ];
    vec![
        Route::post("/v1/products", SELLER, seller)
            .with(product(market.category_id))
            .optional(&[
                "/description",
                "/images",
                "/specifications",
                "/specifications/weight",
                "/shipping",
            ])
            .maps(&["/specifications"])
            .line("/title", 200)
            .text("/description", 10_000)
            .out_of_range("/condition", [json!("shiny"), json!("Good")])
            .out_of_range("/images", [many(21, "https://images.example/clock.jpg")])
            .out_of_range("/images/0", no_addresses)
            .out_of_range("/specifications", specifications)
            .line("/specifications/weight", 200)
            .out_of_range("/shipping/countries", countries)
            .out_of_range("/shipping/price/amount", [json!(-1), json!(TOO_MUCH)])
            .out_of_range("/shipping/price/currency", NO_CURRENCIES.map(Value::from)),
        Route::post("/v1/products/{id}/list", SELLER, seller).about(market.draft().await),
        Route::post("/v1/products/{id}/withdraw", SELLER, seller).about(market.listed().await),
    ]
}

async fn auctions(app: &App, market: &Market<'_>) -> Vec<Route> {
    let (seller, buyer): (&Client, _) = (&market.seller, app.user().await);
    let timer = app.reactor("auction-timer");
    let terms = json!({
        "reserve_price": 5_000,
        "buy_now_price": 9_000,
        "starts_at": app.database.in_seconds(60).await,
        "anti_sniping_window_s": 30,
    });
    let new_auction = market.terms(market.listed().await, terms).await;
    let amounts = [json!(0), json!(-1), json!(TOO_MUCH)];
    let watched = market.auction(json!({})).await;
    buyer.watch(watched).await.ok();
    let soon = json!({"ends_at": app.database.in_seconds(3).await});
    vec![
        Route::post("/v1/auctions", SELLER, seller)
            .with(new_auction)
            .optional(&[
                "/reserve_price",
                "/buy_now_price",
                "/starts_at",
                "/anti_sniping_window_s",
            ])
            .out_of_range("/starting_price/amount", amounts.clone())
            .out_of_range("/starting_price/currency", NO_CURRENCIES.map(Value::from))
            .out_of_range("/minimum_increment", amounts.clone())
            .out_of_range("/reserve_price", amounts.clone())
            .out_of_range("/buy_now_price", amounts.clone())
            .out_of_range("/anti_sniping_window_s", [json!(-1), json!(3_601)])
            .out_of_range("/starts_at", NO_TIMES.map(Value::from))
            .out_of_range("/ends_at", NO_TIMES.map(Value::from)),
        Route::post("/v1/auctions/{id}/bids", BUYER, &buyer)
            .about(market.auction(json!({})).await)
            .with(json!({"amount": eur(1_000)}))
            .out_of_range("/amount/amount", amounts)
            .out_of_range("/amount/currency", NO_CURRENCIES.map(Value::from)),
        Route::post("/v1/auctions/{id}/buy-now", BUYER, &buyer)
            .about(market.auction(json!({"buy_now_price": 9_000})).await),
        Route::post("/v1/auctions/{id}/cancel", SELLER, seller)
            .about(market.auction(json!({})).await),
        Route::post("/v1/auctions/{id}/open", TIMER, &timer).about(market.auction(json!({})).await),
        Route::post("/v1/auctions/{id}/close", TIMER, &timer).about(market.auction(soon).await),
        Route::post("/v1/auctions/{id}/watch", Audience::User, &buyer)
            .about(market.auction(json!({})).await),
        Route::delete("/v1/auctions/{id}/watch", Audience::User, &buyer).about(watched),
    ]
}
