//! Products, offered by their sellers.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::market::product::{Draft, List, Withdraw};
use tidemark_events::market::product::{Condition, Shipping};
use tidemark_events::{CategoryId, Money, ProductId};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::money::Price;
use crate::app::{AcceptedBody, App};
use crate::caller::Caller;

const SPECIFICATIONS_MAX: usize = 50;
const SPECIFICATION_CHARS_MAX: usize = 200;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(draft))
        .routes(routes!(list))
        .routes(routes!(withdraw))
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewProduct {
    /// Where it is filed.
    category_id: Uuid,
    /// One line, 1 to 200 characters.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// Up to 10,000 characters.
    #[garde(length(chars, max = 10_000))]
    #[schema(max_length = 10_000)]
    #[serde(default)]
    description: String,
    /// The state of the thing: `new`, `like_new`, `good`, `fair` or `for_parts`.
    #[schema(value_type = String, example = "good")]
    condition: Condition,
    /// References to pictures, the main one first: up to 20 of up to 500 characters.
    #[garde(length(max = 20), inner(length(chars, min = 1, max = 500)))]
    #[schema(max_items = 20)]
    #[serde(default)]
    images: Vec<String>,
    /// Names and values, such as `weight` and `2 kg`: up to 50, each up to 200 characters.
    #[garde(custom(are_specifications))]
    #[serde(default)]
    specifications: BTreeMap<String, String>,
    /// How it is sent; none means collection only.
    #[garde(dive)]
    shipping: Option<NewShipping>,
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewShipping {
    /// What the buyer pays for it.
    #[garde(dive)]
    price: Price,
    /// ISO 3166-1 alpha-2 codes of the countries it is sent to.
    #[garde(length(min = 1, max = 250), inner(custom(is_country)))]
    #[schema(min_items = 1, max_items = 250)]
    countries: Vec<String>,
}

fn is_country<C>(code: &str, _: &C) -> garde::Result {
    if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(garde::Error::new(
            "must be two capital letters (ISO 3166-1 alpha-2)",
        ))
    }
}

fn are_specifications<C>(all: &BTreeMap<String, String>, _: &C) -> garde::Result {
    let is_long = |text: &String| text.chars().count() > SPECIFICATION_CHARS_MAX;
    if all.len() > SPECIFICATIONS_MAX {
        Err(garde::Error::new(format!(
            "must have at most {SPECIFICATIONS_MAX} entries"
        )))
    } else if all
        .iter()
        .any(|(name, value)| name.is_empty() || is_long(name) || is_long(value))
    {
        Err(garde::Error::new(format!(
            "names must not be empty; names and values have at most {SPECIFICATION_CHARS_MAX} characters"
        )))
    } else {
        Ok(())
    }
}

/// Describe a product, for nobody else to see yet (sellers)
#[utoipa::path(
    post,
    path = "/v1/products",
    tag = "products",
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), Problem)
)]
async fn draft(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewProduct>,
) -> Result<Response, Problem> {
    let id = new_id();
    let shipping = body.shipping.as_ref().map(|shipping| Shipping {
        price: Money::from(shipping.price),
        countries: shipping.countries.clone(),
    });
    let command = Draft {
        product_id: ProductId(id),
        category_id: CategoryId(body.category_id),
        title: body.title.clone(),
        description: body.description.clone(),
        condition: body.condition,
        images: body.images.clone(),
        specifications: body.specifications.clone(),
        shipping,
    };
    app.create(&caller, &body, id, command).await
}

/// Offer a product (its seller)
#[utoipa::path(
    post,
    path = "/v1/products/{id}/list",
    tag = "products",
    params(("id" = Uuid, Path, description = "The product")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = List {
        product_id: ProductId(id),
    };
    app.change(&caller, &(), id, command).await
}

/// Offer a product no more (its seller)
#[utoipa::path(
    post,
    path = "/v1/products/{id}/withdraw",
    tag = "products",
    params(("id" = Uuid, Path, description = "The product")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Withdraw {
        product_id: ProductId(id),
    };
    app.change(&caller, &(), id, command).await
}
