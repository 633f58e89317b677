//! The auctions that the tests of lists search.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidemark_tests::{App, User, market};
use uuid::Uuid;

/// Auctions of two sellers in a tree of categories, by name.
pub(super) struct Listings {
    pub(super) sellers: [User; 2],
    /// A top category, its child, its grandchild, and another top category.
    pub(super) categories: [Uuid; 4],
    pub(super) auctions: BTreeMap<&'static str, Uuid>,
}

impl Listings {
    pub(super) async fn create(app: &App) -> Self {
        let sellers = [app.seller().await, app.seller().await];
        let top = app.category(None).await;
        let child = app.category(Some(top)).await;
        let grandchild = app.category(Some(child)).await;
        let beside = app.category(None).await;
        let categories = [top, child, grandchild, beside];
        let mut auctions = BTreeMap::new();
        for (name, seller, category, title, price) in [
            (
                "sextant",
                0,
                0,
                "Brass sextant",
                json!({"amount": 500, "currency": "EUR"}),
            ),
            (
                "clock",
                0,
                1,
                "Ship's clock, brass",
                json!({"amount": 700, "currency": "EUR"}),
            ),
            (
                "chart",
                1,
                2,
                "Chart of the Sound",
                json!({"amount": 700, "currency": "EUR"}),
            ),
            (
                "lamp",
                1,
                3,
                "Ship's lamp",
                json!({"amount": 900, "currency": "EUR"}),
            ),
            (
                "flag",
                1,
                3,
                "Flag of \u{3bf}\u{3b4}\u{3bf}\u{3c2}, Stra\u{df}e \u{fb01}n",
                json!({"amount": 600, "currency": "DKK"}),
            ),
        ] {
            let auction = schedule(app, &sellers[seller], categories[category], title, &price);
            auctions.insert(name, auction.await);
        }
        Self {
            sellers,
            categories,
            auctions,
        }
    }
}

/// Schedules an auction that lasts an hour, so that those scheduled later also end later.
async fn schedule(app: &App, seller: &User, category: Uuid, title: &str, price: &Value) -> Uuid {
    let mut product = market::product(category);
    product["title"] = title.into();
    let product = seller.post("/v1/products", &product).await.ok().id();
    let path = format!("/v1/products/{product}/list");
    seller.post_empty(&path).await.ok();
    let auction = json!({
        "product_id": product,
        "starting_price": price,
        "minimum_increment": 100,
        "ends_at": app.database.in_seconds(3_600).await,
    });
    seller.post("/v1/auctions", &auction).await.ok().id()
}
