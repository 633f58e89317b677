//! What a test sells: a category with a seller, and the products and auctions that it needs.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{App, Client, User};

/// The lowest first bid for an auction of [`Market::auction`], in cents.
pub const STARTING_PRICE: i64 = 1_000;
/// The amount by which each bid must exceed the one before, in cents.
pub const INCREMENT: i64 = 100;

/// A category, with a seller who sells in it.
#[derive(Clone, Debug)]
pub struct Market<'a> {
    app: &'a App,
    /// The seller of everything in this market.
    pub seller: User,
    /// The category of everything in this market.
    pub category_id: Uuid,
}

impl App {
    /// Makes a market of a new category and a new seller.
    pub async fn market(&self) -> Market<'_> {
        Market {
            app: self,
            seller: self.seller().await,
            category_id: self.category(None).await,
        }
    }

    /// Creates a category below another one, or at the top.
    pub async fn category(&self, parent_id: Option<Uuid>) -> Uuid {
        let slug = self.person().email.replace(['@', '.'], "-");
        let body = json!({"parent_id": parent_id, "name": "Clocks", "slug": slug});
        let created = self.admin().await.post("/v1/categories", &body).await;
        created.ok().id()
    }

    /// Schedules an auction that ends in a moment, and stops the command API, which then is not there for the
    /// auction's timer. Returns the auction.
    pub async fn auction_that_ends_without_command_api(&mut self) -> Uuid {
        let market = self.market().await;
        let product = market.listed().await;
        let ends_at = self.database.in_seconds(3).await;
        let terms = market.terms(product, json!({"ends_at": ends_at})).await;
        let scheduled = market.seller.post("/v1/auctions", &terms).await;
        let auction = scheduled.ok().id();
        self.settle().await;
        self.stop_command_api().await;
        auction
    }
}

impl Market<'_> {
    /// Drafts a product.
    pub async fn draft(&self) -> Uuid {
        let body = product(self.category_id);
        self.seller.post("/v1/products", &body).await.ok().id()
    }

    /// Drafts a product and lists it.
    pub async fn listed(&self) -> Uuid {
        let id = self.draft().await;
        let path = format!("/v1/products/{id}/list");
        self.seller.post_empty(&path).await.ok();
        id
    }

    /// Schedules an auction of a new product that takes bids for an hour, unless `terms` says
    /// otherwise.
    pub async fn auction(&self, terms: Value) -> Uuid {
        let body = self.terms(self.listed().await, terms).await;
        self.seller.post("/v1/auctions", &body).await.ok().id()
    }

    /// Tells a user that they have won an auction of a new product. Returns the notification.
    pub async fn notification(&self, user_id: Uuid) -> Uuid {
        let body = won(user_id, self.draft().await);
        let notifier = self.app.reactor("auction-notifier");
        notifier.post("/v1/notifications", &body).await.ok().id()
    }

    /// The body that schedules an auction of a product for an hour, changed by `terms`.
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
    /// Watches an auction.
    pub async fn watch(&self, auction_id: Uuid) -> crate::Answer {
        let path = format!("/v1/auctions/{auction_id}/watch");
        self.post_empty(&path).await
    }

    /// Watches an auction no more.
    pub async fn unwatch(&self, auction_id: Uuid) -> crate::Answer {
        let path = format!("/v1/auctions/{auction_id}/watch");
        self.delete(&path).await
    }

    /// Bids so many cents.
    pub async fn bid(&self, auction_id: Uuid, amount: i64) -> crate::Answer {
        let body = json!({"amount": eur(amount)});
        let path = format!("/v1/auctions/{auction_id}/bids");
        self.post(&path, &body).await
    }
}

/// The body of a request that drafts a product.
#[must_use]
pub fn product(category_id: Uuid) -> Value {
    json!({
        "category_id": category_id,
        "title": "Ship's chronometer",
        "description": "Brass, in its box, running.",
        "condition": "good",
        "images": ["https://images.example/chronometer.jpg"],
        "specifications": {"weight": "2 kg"},
        "shipping": {"price": eur(1_200), "countries": ["DE", "DK"]},
    })
}

/// The body of a request that tells a user that they have won an auction of this product.
#[must_use]
pub fn won(user_id: Uuid, product_id: Uuid) -> Value {
    json!({
        "user_id": user_id,
        "category": "won",
        "about": {"kind": "auction", "auction_id": Uuid::from_u128(5), "product_id": product_id},
        "amount": eur(STARTING_PRICE),
        "dedupe_key": product_id,
    })
}

/// An amount in euro cents, as requests carry it.
#[must_use]
pub fn eur(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}
