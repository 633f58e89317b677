//! Every route that takes commands, each with a request that would succeed and somebody who may send
//! it. What the `OpenAPI` document holds and this does not, or the other way round, fails.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::client::Answer;
use tidemark_tests::market::{eur, product};
use tidemark_tests::settings::from_environment;
use tidemark_tests::{App, Client};
use uuid::Uuid;

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Anybody,
    /// A user with this role.
    Role(&'static str),
    /// Only whose it is; for everybody else it is not there.
    Owner,
    Service,
}

/// A route, and a request that it accepts.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// As in the `OpenAPI` document.
    pub(crate) template: &'static str,
    /// With the ids of what there is.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) takes: For,
    /// May send it.
    pub(crate) client: Client,
}

impl Route {
    fn new(method: Method, template: &'static str, takes: For, client: &Client) -> Self {
        Self {
            method,
            template,
            path: template.to_owned(),
            body: None,
            takes,
            client: client.clone(),
        }
    }

    fn post(template: &'static str, takes: For, client: &Client) -> Self {
        Self::new(Method::POST, template, takes, client)
    }

    fn about(self, id: Uuid) -> Self {
        let path = self.path.replace("{id}", &id.to_string());
        Self { path, ..self }
    }

    fn with(self, body: Value) -> Self {
        let body = Some(body);
        Self { body, ..self }
    }

    /// The request that is accepted.
    pub(crate) async fn send(&self) -> Answer {
        self.send_as(&self.client).await
    }

    /// The same by somebody else.
    pub(crate) async fn send_as(&self, client: &Client) -> Answer {
        let request = client.command(self.method.clone(), &self.path);
        match &self.body {
            Some(body) => Answer::to(request.json(body)).await,
            None => Answer::to(request).await,
        }
    }

    /// With this in place of the body.
    pub(crate) async fn send_text(&self, text: impl Into<Vec<u8>>) -> Answer {
        let request = self.client.command(self.method.clone(), &self.path);
        let request = request.header("content-type", "application/json");
        Answer::to(request.body(text.into())).await
    }

    /// Whether the path names something.
    pub(crate) fn has_id(&self) -> bool {
        self.template.contains("{id}")
    }

    /// About something else.
    pub(crate) fn about_another(&self, id: &str) -> Self {
        let path = self.template.replace("{id}", id).replace("{role}", "buyer");
        Self {
            path,
            ..self.clone()
        }
    }

    /// The largest body that it takes.
    pub(crate) fn body_bytes_max(&self) -> usize {
        let is_secret = ["/v1/users", "/v1/admins", "/v1/sessions"]
            .iter()
            .any(|path| self.template.starts_with(path));
        if is_secret { 8_192 } else { 65_536 }
    }
}

/// All of them.
pub(crate) async fn all(app: &App) -> Vec<Route> {
    let mut routes = people(app).await;
    routes.extend(market(app).await);
    let documented = documented(app).await;
    let known: BTreeSet<_> = routes
        .iter()
        .map(|route| {
            let method = route.method.as_str().to_lowercase();
            (route.template.to_owned(), method)
        })
        .collect();
    assert_eq!(known, documented, "keep this list as the API is");
    routes
}

/// Those that take a body.
pub(crate) async fn with_bodies(app: &App) -> Vec<Route> {
    let mut routes = all(app).await;
    routes.retain(|route| route.body.is_some());
    routes
}

async fn people(app: &App) -> Vec<Route> {
    let (anybody, operator) = (&app.client, &app.service("operator"));
    let admin: &Client = app.admin().await;
    let (user, auditor) = (app.user().await, app.auditor().await);
    let mut first_admin = app.person().registration();
    first_admin["secret"] = from_environment("TIDEMARK_BOOTSTRAP_SECRET").into();
    let login = json!({"email": user.email, "password": user.password});
    let scope = json!({"kind": "stream", "stream_id": user.id, "after_version": 0});
    let reading = json!({"reader_id": auditor.id, "scope": scope});
    let is_admin = For::Role("admin");
    let revoke = "/v1/users/{id}/roles/{role}";
    let mut revocation = Route::new(Method::DELETE, revoke, is_admin, admin).about(auditor.id);
    revocation.path = revocation.path.replace("{role}", "buyer");
    vec![
        Route::post("/v1/users", For::Anybody, anybody).with(app.person().registration()),
        Route::post("/v1/admins", For::Service, operator).with(first_admin),
        Route::post("/v1/users/{id}/roles", is_admin, admin)
            .about(user.id)
            .with(json!({"role": "operator"})),
        revocation,
        Route::post("/v1/sessions", For::Anybody, anybody).with(login),
        Route::post("/v1/sessions/refresh", For::Anybody, anybody)
            .with(json!({"refresh_token": user.refresh_token})),
        Route::new(Method::DELETE, "/v1/sessions/{id}", For::Owner, &user).about(user.session_id),
        Route::post("/v1/readings", For::Service, &app.service("query-api")).with(reading),
    ]
}

async fn market(app: &App) -> Vec<Route> {
    let market = app.market().await;
    let (admin, seller): (&Client, &Client) = (app.admin().await, &market.seller);
    let buyer = app.user().await;
    let timer = app.service("auction-timer");
    let (is_admin, is_seller, is_buyer) =
        (For::Role("admin"), For::Role("seller"), For::Role("buyer"));
    let inactive = app.category(None).await;
    let deactivate = format!("/v1/categories/{inactive}/deactivate");
    admin.post_empty(&deactivate).await.ok();
    let category = json!({
        "parent_id": market.category_id,
        "name": "Sextants",
        "slug": "sextants-2",
        "sort_order": 3,
    });
    let auction = json!({
        "reserve_price": 5_000,
        "buy_now_price": 9_000,
        "starts_at": app.database.in_seconds(60).await,
        "anti_sniping_window_s": 30,
    });
    let auction = market.terms(market.listed().await, auction).await;
    let soon = json!({"ends_at": app.database.in_seconds(3).await});
    let soon_over = market.auction(soon).await;
    vec![
        Route::post("/v1/categories", is_admin, admin).with(category),
        Route::post("/v1/categories/{id}/activate", is_admin, admin).about(inactive),
        Route::post("/v1/categories/{id}/deactivate", is_admin, admin)
            .about(app.category(None).await),
        Route::post("/v1/products", is_seller, seller).with(product(market.category_id)),
        Route::post("/v1/products/{id}/list", is_seller, seller).about(market.draft().await),
        Route::post("/v1/products/{id}/withdraw", is_seller, seller).about(market.listed().await),
        Route::post("/v1/auctions", is_seller, seller).with(auction),
        Route::post("/v1/auctions/{id}/bids", is_buyer, &buyer)
            .about(market.auction(json!({})).await)
            .with(json!({"amount": eur(1_000)})),
        Route::post("/v1/auctions/{id}/buy-now", is_buyer, &buyer)
            .about(market.auction(json!({"buy_now_price": 9_000})).await),
        Route::post("/v1/auctions/{id}/cancel", is_seller, seller)
            .about(market.auction(json!({})).await),
        Route::post("/v1/auctions/{id}/open", For::Service, &timer)
            .about(market.auction(json!({})).await),
        Route::post("/v1/auctions/{id}/close", For::Service, &timer).about(soon_over),
    ]
}

/// What the document says there is, by path and method. Queries of it are left out.
pub(crate) async fn documented(app: &App) -> BTreeSet<(String, String)> {
    let request = app.client.command(Method::GET, "/openapi.json");
    let document = Answer::to(request).await.ok().body;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let methods = |path: &String, item: &Value| {
        let of_path = item.as_object().unwrap().keys().cloned();
        of_path
            .map(|method| (path.clone(), method))
            .collect::<Vec<_>>()
    };
    paths
        .iter()
        .flat_map(|(path, item)| methods(path, item))
        .filter(|(_, method)| method != "get")
        .collect()
}
