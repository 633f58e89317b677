//! The routes at which an API describes itself.

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::catalogue;

/// Lets the page load its own scripts and styles, and call this API.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// The routes `/openapi.json`, `/docs` and `/problems`. The description is complete.
pub fn router(api: OpenApi) -> Router {
    let catalogue = catalogue::router(&api);
    // Otherwise the page would send the address of the API to a public validator.
    let page = Config::default()
        .validator_url("none")
        .try_it_out_enabled(true);
    let routes: Router = SwaggerUi::new("/docs")
        .url("/openapi.json", api)
        .config(page)
        .into();
    routes.layer(from_fn(allow_page)).merge(catalogue)
}

async fn allow_page(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use utoipa::OpenApi;

    use crate::middleware;
    use crate::openapi::complete;
    use crate::testing::{authenticator, config, get};

    #[utoipa::path(
        get,
        path = "/v1/things",
        security(("user" = []), ("service" = [])),
        responses((status = 200, description = "Things"))
    )]
    #[expect(dead_code, reason = "only its description is used")]
    fn things() {}

    #[derive(OpenApi)]
    #[openapi(paths(things))]
    struct Api;

    fn app() -> Router {
        let config = config();
        middleware::apply(
            super::router(complete(Api::openapi(), |_| ())),
            &config.http,
            authenticator(&config),
        )
    }

    #[tokio::test]
    async fn every_reference_of_the_description_resolves() {
        let api = get(&app(), "/openapi.json", &[]).await.json();
        assert_eq!(api["openapi"], "3.1.0");
        for component in [
            "/components/schemas/Problem/properties/code",
            "/components/schemas/FieldError/properties/pointer",
            "/components/securitySchemes/user",
            "/components/securitySchemes/service",
        ] {
            assert!(api.pointer(component).is_some(), "{component}");
        }
        let text = api.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(api.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_other_servers() {
        let app = app();
        let page = get(&app, "/docs/", &[]).await;
        assert_eq!(page.status, 200);
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'self'")
        );
        let text = String::from_utf8(page.body).unwrap();
        assert!(!text.contains("//"), "{text}");
        for part in [
            "swagger-ui-bundle.js",
            "swagger-ui.css",
            "swagger-initializer.js",
        ] {
            assert!(text.contains(part), "{text}");
            assert_eq!(
                get(&app, &format!("/docs/{part}"), &[]).await.status,
                200,
                "{part}"
            );
        }
    }
}
