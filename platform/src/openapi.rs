//! The description of an API (`OpenAPI` 3.1), a page to try it, and the catalogue of its problems. What holds
//! of every route is described here once, so that no route can forget it. The page loads nothing from other
//! servers.

mod catalogue;
mod examples;
mod guard;
mod headers;
mod kept;
mod operation;
mod page;
mod problems;

pub use guard::guard;
pub use headers::Header;
pub use operation::Described;
pub use problems::responses;

use axum::Router;
use axum::http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};

use self::examples::exemplify;
use crate::http::ProblemDocument;
use crate::schemas::Schemas;

/// The name of the security scheme of users.
const USER: &str = "user";
/// The name of the security scheme of services.
const SERVICE: &str = "service";

/// Adds what every API has: the schema of problems, the catalogue, and to each operation what holds of all. `common` adds what holds of all operations of this API.
#[must_use]
pub fn complete(mut api: OpenApi, common: impl Fn(&mut Described<'_>)) -> OpenApi {
    api.merge(catalogue::Document::openapi());
    let components = api.components.get_or_insert_with(Components::new);
    add_problem_schema(components);
    let schemas = Schemas::new(components.schemas.clone());
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            let mut described = Described::new(&method, path, operation, components);
            described.describe_request();
            common(&mut described);
            described.finish();
            exemplify(operation, &schemas);
        }
    }
    api
}

/// Adds to the routes of an API those that describe it, and refuses what the description does not have. The description
/// is complete.
pub fn described(routes: Router, api: OpenApi) -> Router {
    let guarded = guard(routes.merge(catalogue::router(&api)), &api);
    guarded.merge(page::router(api))
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let operations = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    operations
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn add_problem_schema(components: &mut Components) {
    let mut schemas = Vec::new();
    ProblemDocument::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let name = ProblemDocument::name().into_owned();
    components.schemas.insert(name, ProblemDocument::schema());
}

/// The ways to authenticate, by their names.
fn security_schemes() -> [(&'static str, SecurityScheme); 2] {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of a session."))
        .build();
    let service = ApiKeyValue::with_description("Authorization", "`Service <name>:<secret>`");
    [
        (USER, SecurityScheme::Http(bearer)),
        (SERVICE, SecurityScheme::ApiKey(ApiKey::Header(service))),
    ]
}
