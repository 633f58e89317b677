//! What the tests of this crate share: a configuration with keys, and requests to a router.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use crate::Config;
use crate::auth::{Authenticator, Issuer, User};
use crate::clock::Clock;
use crate::server::ClientAddress;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The default configuration with keys and two services.
pub(crate) fn config() -> Config {
    config_with(&[])
}

pub(crate) fn config_with(vars: &[(&str, &str)]) -> Config {
    let key = SigningKey::from_bytes(&[7; 32]);
    let private = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    let public = key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    let mut all = HashMap::from([
        (
            "TIDEMARK_AUTH__SIGNING_KEY".to_owned(),
            STANDARD.encode(private.as_bytes()),
        ),
        (
            "TIDEMARK_AUTH__VERIFYING_KEY".to_owned(),
            STANDARD.encode(public),
        ),
        (
            "TIDEMARK_SERVICE_TOKENS".to_owned(),
            format!("query-api={SECRET},mailer={SECRET}x"),
        ),
        (
            "TIDEMARK_SERVICE_TOKEN".to_owned(),
            format!("query-api={SECRET}"),
        ),
    ]);
    all.extend(
        vars.iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned())),
    );
    Config::from_vars(all).unwrap()
}

/// The time at which all tests take place.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(crate) fn authenticator(config: &Config) -> Authenticator {
    Authenticator::from_config(config, Clock::fixed(now())).unwrap()
}

pub(crate) fn user() -> User {
    User {
        id: Uuid::from_u128(1),
        session_id: Uuid::from_u128(2),
        roles: vec!["buyer".to_owned()],
    }
}

/// An access token of [`user`].
pub(crate) fn token(config: &Config) -> String {
    Issuer::from_config(&config.auth)
        .unwrap()
        .issue(now(), Uuid::from_u128(3), &user())
        .unwrap()
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a problem, after checking that the response is a well-formed one.
    pub(crate) fn problem(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(problem["status"], self.status.as_u16());
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("/problems/{code}"));
        (self.status.as_u16(), code)
    }

    /// The pointers and parameters of the errors of a problem.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let pointer = |error: &Value| {
            error["pointer"]
                .as_str()
                .or(error["parameter"].as_str())
                .unwrap()
                .to_owned()
        };
        errors.iter().map(pointer).collect()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    Answer::of(router.clone().oneshot(request).await.unwrap()).await
}

pub(crate) async fn get(router: &Router, uri: &str, headers: &[(&str, &str)]) -> Answer {
    send(router, request(Method::GET, uri, headers, Body::empty())).await
}

pub(crate) fn request(
    method: Method,
    uri: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let builder = Request::builder()
        .method(method)
        .uri(uri)
        .header(HOST, "tidemark.example");
    let builder = headers.iter().fold(builder, |builder, &(name, value)| {
        builder.header(name, value)
    });
    let client = ClientAddress(Ipv4Addr::LOCALHOST.into());
    builder.extension(client).body(body).unwrap()
}
