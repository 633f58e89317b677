//! Routes of categories, which admins keep.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::market::category::{Activate, ChoosePicture, Create, Deactivate};
use tidemark_events::market::category::Name;
use tidemark_events::{CategoryId, MediaId, Slug};
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

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(activate))
        .routes(routes!(deactivate))
        .routes(routes!(choose_picture))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewCategory {
    /// The category that this one is part of. Leave it out for a category at the top.
    parent_id: Option<Uuid>,
    /// The name that people read: one line of 1 to 100 characters.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Sextants")]
    name: Name,
    /// The name for use in addresses, unique among all categories: up to 60 lower-case letters, digits and
    /// single hyphens, not in the form of a UUID.
    #[schema(value_type = String, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 60, example = "sextants")]
    slug: Slug,
    /// The place among the categories of the same parent: the lowest comes first.
    #[serde(default)]
    #[schema(minimum = -2_147_483_648i64, maximum = 2_147_483_647i64, example = 10)]
    sort_order: i32,
}

/// Create a category
///
/// Only admins may do this.
#[utoipa::path(
    post,
    path = "/v1/categories",
    operation_id = "create_category",
    tag = "categories",
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Create>)
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewCategory>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Create {
        category_id: CategoryId(id),
        parent_id: body.parent_id.map(CategoryId),
        name: body.name,
        slug: body.slug,
        sort_order: body.sort_order,
    };
    let location = Location("/v1/categories/{id}");
    app.create(&caller, id, command, location).await
}

/// Activate a category
///
/// Products may be drafted, listed and auctioned in it again, if all categories above it are active. Only
/// admins may do this.
#[utoipa::path(
    post,
    path = "/v1/categories/{id}/activate",
    operation_id = "activate_category",
    tag = "categories",
    params(("id" = Uuid, Path, description = "The category")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Activate>)
)]
async fn activate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Activate {
        category_id: CategoryId(id),
    };
    app.change(&caller, id, command).await
}

/// Deactivate a category
///
/// From now on no product may be drafted, listed or auctioned in it or in any category below it, and no
/// category may be added there. Only admins may do this.
#[utoipa::path(
    post,
    path = "/v1/categories/{id}/deactivate",
    operation_id = "deactivate_category",
    tag = "categories",
    params(("id" = Uuid, Path, description = "The category")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Deactivate>)
)]
async fn deactivate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Deactivate {
        category_id: CategoryId(id),
    };
    app.change(&caller, id, command).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct CategoryPicture {
    /// The id of a picture that the admin has uploaded as `category_picture`. Leave it out if the category is to have none.
    picture: Option<Uuid>,
}

/// Choose the picture of a category
///
/// It takes the place of the one that the category shows, which is deleted a day later unless something else shows it. Only admins
/// may do this.
#[utoipa::path(
    post,
    path = "/v1/categories/{id}/picture",
    operation_id = "choose_category_picture",
    tag = "categories",
    params(("id" = Uuid, Path, description = "The category")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<ChoosePicture>)
)]
async fn choose_picture(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<CategoryPicture>,
) -> Result<Response, Problem> {
    let command = ChoosePicture {
        category_id: CategoryId(id),
        picture: body.picture.map(MediaId),
        periods: periods(&app.config.media),
    };
    app.change(&caller, id, command).await
}
