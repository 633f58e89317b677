//! The demo data: categories, and some auctions that last a day. Loading it again adds nothing.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::api::{Answer, Api, Failure};
use crate::people::{People, Person};

/// Names and slugs.
const CATEGORIES: [(&str, &str); 3] = [
    ("Cameras", "demo-cameras"),
    ("Watches", "demo-watches"),
    ("Instruments", "demo-instruments"),
];

/// The index of the category, the title, and the starting price in cents.
const PRODUCTS: [(usize, &str, i64); 6] = [
    (0, "Large-format field camera, 1962", 45_000),
    (0, "Twin-lens reflex with case", 18_000),
    (1, "Manual-winding chronograph", 120_000),
    (1, "Railway pocket watch", 30_000),
    (2, "Parlour guitar, spruce top", 60_000),
    (2, "Concertina, 30 keys", 25_000),
];

/// Loads what is missing, and returns the ids of the categories.
pub(crate) async fn load(api: &Api, people: &People) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut is_first_time = false;
    for (order, (name, slug)) in CATEGORIES.iter().enumerate() {
        let body = json!({"name": name, "slug": slug, "sort_order": order});
        match people.admin.command(api, "categories", body).await {
            Ok(answer) => {
                is_first_time = true;
                ids.push(answer.id());
            }
            Err(failure) if failure.code == "slug_taken" => {
                ids.push(api.query(&format!("categories/{slug}"), None).await?.id());
            }
            Err(failure) => return Err(failure),
        }
    }
    if is_first_time {
        let mut tidemark = String::new();
        for (place, (category, title, price)) in PRODUCTS.into_iter().enumerate() {
            let seller = &people.sellers[place % people.sellers.len()];
            let category = &ids[category];
            let auction =
                make_auction(api, seller, category, title, price, TimeDelta::days(1)).await?;
            tidemark = auction.tidemark;
        }
        // Whoever is told that the data is loaded finds it.
        for list in ["categories", "products", "auctions"] {
            api.query(list, Some(&tidemark)).await?;
        }
    }
    Ok(ids)
}

/// Makes a product and its auction, which starts at once. `price` is the starting price in cents.
/// Returns the answer to the last command, whose id is that of the auction.
pub(crate) async fn make_auction(
    api: &Api,
    seller: &Person,
    category: &str,
    title: &str,
    price: i64,
    duration: TimeDelta,
) -> Result<Answer, Failure> {
    let product = json!({
        "category_id": category,
        "title": title,
        "description": "From the demo.",
        "condition": "good",
        "specifications": {"origin": "demo"},
        "shipping": {"price": {"amount": 900, "currency": "EUR"}, "countries": ["DE", "FR", "JP"]},
    });
    let product = seller.command(api, "products", product).await?.id();
    seller
        .command(api, &format!("products/{product}/list"), None)
        .await?;
    let auction = json!({
        "product_id": product,
        "starting_price": {"amount": price, "currency": "EUR"},
        "minimum_increment": (price / 100).max(1),
        "reserve_price": price + price / 10,
        "ends_at": now() + duration,
        "anti_sniping_window_s": 5,
    });
    seller.command(api, "auctions", auction).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client has no other clock than its own"
)]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}
