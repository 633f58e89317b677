//! The routes by which others get to know the issuer of access tokens: its metadata (RFC 8414) and its public keys
//! (RFC 7517). Both may be cached.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemark_platform::http::{Json, tag_content};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

const KEYS_PATH: &str = "/.well-known/jwks.json";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(keys))
        .routes(routes!(metadata))
        .layer(from_fn(tag_content))
}

/// The issuer of access tokens (RFC 8414).
///
/// Users log in by `POST /v1/sessions`, which is no grant of OAuth, and there is no authorization endpoint: `none` is the response type
/// by which nothing is issued. Nobody is misled by the grants that a missing `grant_types_supported` stands for, because there is no
/// endpoint at which to ask for them.
#[derive(Serialize, ToSchema)]
struct Metadata {
    /// The issuer, which is `iss` of access tokens.
    #[schema(format = "uri", example = "https://auctions.example")]
    issuer: String,
    /// Where the public keys are.
    #[schema(
        format = "uri",
        example = "https://auctions.example/.well-known/jwks.json"
    )]
    jwks_uri: String,
    /// `none`, because no authorization endpoint answers with anything. Clients that read such metadata expect the member.
    #[schema(example = json!(["none"]))]
    response_types_supported: [&'static str; 1],
    /// Where the API is described.
    #[schema(format = "uri", example = "https://auctions.example/docs")]
    service_documentation: String,
}

/// Get the public keys that access tokens are verified with
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "get_keys",
    tag = "sessions",
    responses((status = 200, description = "A JWK set (RFC 7517)", body = Object, example = json!({
        "keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": "kPrK_qmxVWaYVA9w",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }],
    })))
)]
async fn keys(State(app): State<App>) -> Response {
    (caching(&app), Json(app.verifier.jwks())).into_response()
}

/// Get the metadata of the issuer of access tokens
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "get_issuer",
    tag = "sessions",
    responses((status = 200, body = Metadata))
)]
async fn metadata(State(app): State<App>) -> Response {
    let issuer = &app.config.auth.issuer;
    let metadata = Metadata {
        jwks_uri: format!("{issuer}{KEYS_PATH}"),
        response_types_supported: ["none"],
        service_documentation: format!("{issuer}/docs"),
        issuer: issuer.clone(),
    };
    (caching(&app), Json(metadata)).into_response()
}

fn caching(app: &App) -> HeaderMap {
    let max_age = app.config.auth.keys_max_age_s;
    let value = format!("public, max-age={max_age}").try_into();
    value
        .map(|value| (CACHE_CONTROL, value))
        .into_iter()
        .collect()
}
