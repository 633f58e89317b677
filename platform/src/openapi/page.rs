//! The routes at which an API shows its description.

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::kept::kept;
use crate::http::tag_content;

/// Lets the page load its own scripts and styles, and call this API.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// The routes `/openapi.json` and `/docs`.
pub(super) fn router(api: OpenApi) -> Router {
    // Otherwise the page would send the address of the API to a public validator.
    let page = Config::default()
        .validator_url("none")
        .try_it_out_enabled(true);
    let routes: Router = SwaggerUi::new("/docs")
        .url("/openapi.json", api)
        .config(page)
        .into();
    kept(
        routes
            .layer(from_fn(allow_page))
            .layer(from_fn(tag_content)),
    )
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
    use std::io::Read;

    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::http::Method;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use utoipa::OpenApi;

    use crate::middleware;
    use crate::openapi::{complete, described};
    use crate::testing::{Answer, authenticator, config, get, request};

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
            described(Router::new(), complete(Api::openapi(), |_| ())),
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

    #[tokio::test]
    async fn head_answers_the_tag_that_get_does_and_nothing_else() {
        let app = app();
        for path in ["/openapi.json", "/docs/swagger-ui.css", "/problems"] {
            // The first time a file is made, and then it is kept.
            for _ in 0..2 {
                let head = request(Method::HEAD, path, &[], Body::empty());
                let head = Answer::of(app.clone().oneshot(head).await.unwrap()).await;
                let found = get(&app, path, &[]).await;
                assert!(found.header("etag").starts_with('"'), "{path}");
                let length = found.body.len().to_string();
                for (name, value) in [("etag", found.header("etag")), ("content-length", &length)] {
                    assert_eq!(head.header(name), value, "{path}");
                }
                assert!(head.body.is_empty() && !found.body.is_empty(), "{path}");
            }
        }
    }

    /// A file as it is sent to a client that accepts gzip.
    async fn compressed(app: &Router, path: &str) -> Bytes {
        let accepts = [("accept-encoding", "gzip, br")];
        let request = request(Method::GET, path, &accepts, Body::empty());
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        for (name, value) in [("content-encoding", "gzip"), ("vary", "accept-encoding")] {
            assert_eq!(response.headers()[name], value, "{path}");
        }
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_file_is_compressed_once_however_its_name_is_written() {
        let app = app();
        for paths in [
            ["/docs/swagger-ui-bundle.js", "/docs/%73wagger-ui-bundle.js"],
            ["/openapi.json", "/openapi.json?again"],
            ["/problems", "/problems"],
        ] {
            let first = compressed(&app, paths[0]).await;
            for path in paths {
                let again = compressed(&app, path).await;
                // The same bytes at the same place.
                assert_eq!((again.as_ptr(), again.len()), (first.as_ptr(), first.len()));
            }
            let mut plain = Vec::new();
            GzDecoder::new(&*first).read_to_end(&mut plain).unwrap();
            assert_eq!(get(&app, paths[0], &[]).await.body, plain);
        }
        let missing = get(&app, "/docs/nothing.js", &[("accept-encoding", "gzip")]).await;
        assert_eq!(missing.status, 404);
    }
}
