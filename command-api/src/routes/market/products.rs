//! Routes of products, which their sellers offer.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use tidemark_domain::market::product::{ChoosePictures, Draft, List, Withdraw};
use tidemark_events::market::product::{
    Condition, Description, Image, Shipping, ShippingPrice, Specification, Title, Video,
};
use tidemark_events::{CategoryId, CountryCode, MediaId, ProductId, Stored};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::media::periods;
use crate::routes::description::RefusalsOf;
use crate::routes::lists::are_distinct;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(draft))
        .routes(routes!(choose_pictures))
        .routes(routes!(list))
        .routes(routes!(withdraw))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewProduct {
    /// The category that the product belongs to.
    category_id: Uuid,
    /// What the product is, in one line of 1 to 200 characters.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "Brass sextant")]
    title: Title,
    /// The description for buyers: up to 10,000 characters on any number of lines.
    #[schema(value_type = String, max_length = 10_000, example = "In its box.\nThe mirrors are clear.")]
    #[serde(default)]
    description: Description,
    /// How used the product is.
    condition: Condition,
    /// The URLs of pictures of the product, the main one first: up to 20, each absolute, with `http` or `https` and
    /// at most 500 characters.
    #[garde(length(max = 20))]
    #[schema(max_items = 20, example = json!(["https://images.example/sextant.jpg"]))]
    #[serde(default)]
    images: Vec<Image>,
    /// Names and values such as `weight` and `2 kg`: up to 50 pairs. Names and values are lines of 1 to 200
    /// characters each.
    #[garde(length(max = 50))]
    #[schema(value_type = BTreeMap<String, String>, example = json!({ "weight": "2 kg" }))]
    #[serde(default, deserialize_with = "specifications")]
    specifications: BTreeMap<Specification, Specification>,
    /// How the product is sent. Leave it out if the buyer must collect the product.
    #[garde(dive)]
    shipping: Option<NewShipping>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewShipping {
    /// What the buyer pays for shipping.
    #[garde(skip)]
    price: ShippingPrice,
    /// The countries that the product is sent to, each once.
    #[garde(length(min = 1, max = 250), custom(are_distinct))]
    #[schema(min_items = 1, max_items = 250)]
    countries: Vec<CountryCode>,
}

/// Reads names and values. Two names that are one in Unicode's form NFC are refused, as the same key twice is.
fn specifications<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Specification, Specification>, D::Error> {
    let mut specifications = BTreeMap::new();
    for (name, value) in BTreeMap::<String, Specification>::deserialize(deserializer)? {
        let name = Specification::try_from(name).map_err(D::Error::custom)?;
        if specifications.insert(name, value).is_some() {
            return Err(D::Error::custom("must not have the same name twice"));
        }
    }
    Ok(specifications)
}

/// Draft a product
///
/// Nobody else sees the product before it is listed. Only sellers may do this.
#[utoipa::path(
    post,
    path = "/v1/products",
    operation_id = "draft_product",
    tag = "products",
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Draft>)
)]
async fn draft(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewProduct>,
) -> Result<Response, Problem> {
    let id = new_id();
    let shipping = body.shipping.map(|shipping| Shipping {
        price: shipping.price.into(),
        countries: shipping.countries.into_iter().map(Stored::from).collect(),
    });
    let command = Draft {
        product_id: ProductId(id),
        category_id: CategoryId(body.category_id),
        title: body.title,
        description: body.description,
        condition: body.condition,
        images: body.images,
        specifications: body.specifications,
        shipping,
    };
    let location = Location("/v1/products/{id}");
    app.create(&caller, id, command, location).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct Pictures {
    /// The ids of pictures that the seller has uploaded as `product_picture`, each once, the main picture first: up to 20.
    #[garde(length(max = 20), custom(are_distinct))]
    #[schema(max_items = 20)]
    pictures: Vec<Uuid>,
    /// The URL of a video: absolute, with `http` or `https` and at most 500 characters. Leave it out if there is none.
    #[schema(value_type = Option<String>, format = "uri", max_length = 500, example = "https://videos.example/sextant")]
    video: Option<Video>,
}

/// Choose the pictures of a product
///
/// They take the place of those that the product shows, which are deleted a day later unless something else shows them. Only the
/// seller may do this.
#[utoipa::path(
    post,
    path = "/v1/products/{id}/pictures",
    operation_id = "choose_product_pictures",
    tag = "products",
    params(("id" = Uuid, Path, description = "The product")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<ChoosePictures>)
)]
async fn choose_pictures(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<Pictures>,
) -> Result<Response, Problem> {
    let command = ChoosePictures {
        product_id: ProductId(id),
        pictures: body.pictures.into_iter().map(MediaId).collect(),
        video: body.video,
        periods: periods(&app.config.media),
    };
    app.change(&caller, id, command).await
}

/// List a product
///
/// Everybody sees the product from now on. Only its seller may do this.
#[utoipa::path(
    post,
    path = "/v1/products/{id}/list",
    operation_id = "list_product",
    tag = "products",
    params(("id" = Uuid, Path, description = "The product")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<List>)
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = List {
        product_id: ProductId(id),
    };
    app.change(&caller, id, command).await
}

/// Withdraw a product
///
/// The product is not offered any more. Only its seller may do this.
#[utoipa::path(
    post,
    path = "/v1/products/{id}/withdraw",
    operation_id = "withdraw_product",
    tag = "products",
    params(("id" = Uuid, Path, description = "The product")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Withdraw>)
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Withdraw {
        product_id: ProductId(id),
    };
    app.change(&caller, id, command).await
}
