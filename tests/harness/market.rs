//! What is sold in a test: a category with a seller, and products and auctions as far as it needs.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{App, Client, User};

/// The bid that opens an auction of [`Market::auction`].
pub const STARTING_PRICE: i64 = 1_000;
/// By how much each must exceed the one before.
pub const INCREMENT: i64 = 100;

/// A category, and somebody who sells in it.
#[derive(Clone, Debug)]
pub struct Market<'a> {
    app: &'a App,
    /// Sells.
    pub seller: User,
    /// Where they sell.
    pub category_id: Uuid,
}

impl App {
    /// A new category, and a new seller.
    pub async fn market(&self) -> Market<'_> {
        Market {
            app: self,
            seller: self.seller().await,
            category_id: self.category(None).await,
        }
    }

    /// A new category, below another one or at the top.
    pub async fn category(&self, parent_id: Option<Uuid>) -> Uuid {
        let slug = self.person().email.replace(['@', '.'], "-");
        let body = json!({"parent_id": parent_id, "name": "Clocks", "slug": slug});
        let created = self.admin().await.post("/v1/categories", &body).await;
        created.ok().id()
    }
}

impl Market<'_> {
    /// A product that is not listed yet.
    pub async fn draft(&self) -> Uuid {
        let body = product(self.category_id);
        self.seller.post("/v1/products", &body).await.ok().id()
    }

    /// A listed product.
    pub async fn listed(&self) -> Uuid {
        let id = self.draft().await;
        let path = format!("/v1/products/{id}/list");
        self.seller.post_empty(&path).await.ok();
        id
    }

    /// An auction of a new product that takes bids for an hour. What `terms` says replaces that.
    pub async fn auction(&self, terms: Value) -> Uuid {
        let body = self.terms(self.listed().await, terms).await;
        self.seller.post("/v1/auctions", &body).await.ok().id()
    }

    /// The body that announces an auction of a product for an hour, changed by `terms`.
    pub async fn terms(&self, product_id: Uuid, terms: Value) -> Value {
        let mut body = json!({
            "product_id": product_id,
            "starting_price": eur(STARTING_PRICE),
            "minimum_increment": INCREMENT,
            "ends_at": self.app.database.in_seconds(3_600).await,
        });
        let all = body.as_object_mut().unwrap();
        all.extend(terms.as_object().unwrap().clone());
        body
    }
}

impl Client {
    /// Bids.
    pub async fn bid(&self, auction_id: Uuid, amount: i64) -> crate::Answer {
        let body = json!({"amount": eur(amount)});
        let path = format!("/v1/auctions/{auction_id}/bids");
        self.post(&path, &body).await
    }
}

/// The body that describes a product.
#[must_use]
pub fn product(category_id: Uuid) -> Value {
    json!({
        "category_id": category_id,
        "title": "Ship's chronometer",
        "description": "Brass, in its box, running.",
        "condition": "good",
        "images": ["chronometer.jpg"],
        "specifications": {"weight": "2 kg"},
        "shipping": {"price": eur(1_200), "countries": ["DE", "DK"]},
    })
}

/// So many cents.
#[must_use]
pub fn eur(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}
