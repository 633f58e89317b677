//! Refuses what the description of an API does not have: a body or parameters in a query string that the operation does not
//! take, integers and UUIDs there of another form, a missing credential, and a client that accepts nothing which the
//! operation answers. No handler runs then, so no command takes effect.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, IF_NONE_MATCH};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, RefOr};

use crate::auth::unauthenticated;
use crate::http::{FieldError, Problem, accepts, check_repetition, words};
use crate::schemas::{Schemas, as_json};

/// What an operation takes and answers.
#[derive(Debug, Default)]
struct Described {
    /// The parameters of the query string, each with its schema.
    parameters: BTreeMap<String, Value>,
    takes_body: bool,
    /// Whether nobody may do this without a credential.
    needs_credential: bool,
    /// The media types of the answers that succeed.
    media_types: BTreeSet<String>,
}

/// The operations of an API, by path and method.
type Operations = HashMap<String, HashMap<Method, Described>>;

/// Gives the routes that `api` describes a guard.
pub(super) fn guard(routes: Router, api: &OpenApi) -> Router {
    let paths = api.paths.paths.iter();
    let operations: Operations = paths
        .map(|(path, item)| {
            let mut item = item.clone();
            let operations = super::operations(&mut item);
            let described = operations.map(|(method, it)| (method, Described::of(it)));
            (path.clone(), described.collect())
        })
        .collect();
    routes.layer(from_fn_with_state(Arc::new(operations), check))
}

async fn check(
    State(operations): State<Arc<Operations>>,
    request: Request,
    next: Next,
) -> Response {
    // HEAD asks for what GET would answer.
    let method = match *request.method() {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let path = request.extensions().get::<MatchedPath>();
    let methods = path.and_then(|path| operations.get(path.as_str()));
    let checked = match methods.and_then(|methods| methods.get(method)) {
        Some(described) => described.check(&request),
        None => Ok(()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Described {
    fn of(operation: &Operation) -> Self {
        let mut described = Self {
            takes_body: operation.request_body.is_some(),
            needs_credential: operation.security.as_ref().is_some_and(|ways| {
                !ways.is_empty() && !ways.contains(&SecurityRequirement::default())
            }),
            ..Self::default()
        };
        for parameter in operation.parameters.iter().flatten() {
            if let RefOr::T(parameter) = parameter
                && parameter.parameter_in == ParameterIn::Query
            {
                let schema = as_json(&parameter.schema);
                described.parameters.insert(parameter.name.clone(), schema);
            }
        }
        for (status, response) in &operation.responses.responses {
            if let RefOr::T(response) = response
                && status.starts_with('2')
            {
                let media_types = response.content.keys().cloned();
                described.media_types.extend(media_types);
            }
        }
        described
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let accepts = |media_type: &String| accepts(request.headers(), media_type);
        // What answers nothing is acceptable to everybody.
        if !self.media_types.is_empty() && !self.media_types.iter().any(accepts) {
            let media_types: Vec<_> = self.media_types.iter().map(String::as_str).collect();
            let detail = format!("This path answers {}.", media_types.join(" or "));
            let status = StatusCode::NOT_ACCEPTABLE;
            return Err(Problem::new(status, "not_acceptable", detail));
        }
        // A client that forgot its token would else correct its fields first.
        if self.needs_credential && !request.headers().contains_key(AUTHORIZATION) {
            return Err(unauthenticated());
        }
        // RFC 9110, section 13.1.2, forbids to ignore the header, and no command has a use for it.
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read && request.headers().contains_key(IF_NONE_MATCH) {
            let detail =
                "A command takes no If-None-Match. If-Match names the version that it expects.";
            return Err(Problem::bad_request("unexpected_if_none_match", detail));
        }
        // The layers outside have received it.
        if !self.takes_body && !request.body().is_end_stream() {
            let detail = "This path takes no body.";
            return Err(Problem::bad_request("unexpected_body", detail));
        }
        let query = request.uri().query().unwrap_or_default();
        check_repetition(query)?;
        let given = form_urlencoded::parse(query.as_bytes());
        let faults = given.filter_map(|(name, value)| {
            let fault = self.fault_of_parameter(&name, &value)?;
            Some(FieldError::parameter(name.into_owned(), fault))
        });
        let faults: Vec<_> = faults.collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid(faults))
    }

    /// What is wrong with a parameter of the query string, as far as the description tells.
    fn fault_of_parameter(&self, name: &str, value: &str) -> Option<String> {
        let Some(schema) = self.parameters.get(name) else {
            return Some("is unknown here".to_owned());
        };
        if schema["format"] == "uuid" && words::is_uuid_in_another_form(value) {
            return Some(words::UUID.to_owned());
        }
        let is_wrong = Schemas::is_integer(schema) && !Schemas::allows_integer(schema, value);
        is_wrong.then(|| format!("must be {}", Schemas::words(schema)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use axum::routing::get;
    use utoipa::OpenApi;

    use super::*;
    use crate::middleware;
    use crate::openapi::{complete, described};
    use crate::testing;

    #[utoipa::path(
        get,
        path = "/v1/things",
        params(
            ("size" = Option<String>, Query),
            ("owner" = Option<uuid::Uuid>, Query),
            ("limit" = Option<i64>, Query, minimum = 1, maximum = 100)
        ),
        responses((status = 200, body = String, content_type = "application/json"))
    )]
    #[expect(dead_code, reason = "only its description is used")]
    fn things() {}

    #[utoipa::path(
        get,
        path = "/v1/updates",
        responses((status = 200, body = String, content_type = "text/event-stream"))
    )]
    #[expect(dead_code, reason = "only its description is used")]
    fn updates() {}

    #[derive(OpenApi)]
    #[openapi(paths(things, updates))]
    struct Api;

    fn app() -> Router {
        let config = testing::config();
        let routes = Router::new()
            .route("/v1/things", get(|| async { "[]" }))
            .route("/v1/updates", get(|| async { "data: 1" }));
        let routes = described(routes, complete(Api::openapi(), |_| ()));
        middleware::apply(routes, &config.http, testing::authenticator(&config))
    }

    #[tokio::test]
    async fn a_client_that_accepts_nothing_that_a_path_answers_is_refused() {
        let app = app();
        for (path, accept, status) in [
            ("/v1/things", "application/json", 200),
            ("/v1/things", "text/html, */*;q=0.1", 200),
            ("/v1/things", "Application/*", 200),
            ("/v1/things", "", 200),
            ("/v1/things", "text/html", 406),
            ("/v1/things", "application/j*", 406),
            ("/v1/things", "text/event-stream", 406),
            ("/v1/things", "application/json;q=0", 406),
            ("/v1/things", "application/json;q=0, */*", 406),
            ("/v1/things", "*/*, application/json; q=0", 406),
            ("/v1/things", "application/*;q=0, */*", 406),
            ("/v1/things", "application/json;q=0.1, */*;q=0", 200),
            ("/v1/things", "application/json;q=0.000", 406),
            ("/v1/things", "application/json;q=1.", 200),
            ("/v1/things", "application/json;Q=1.000", 200),
            // Weights that are none: what has one counts as not sent.
            ("/v1/things", "application/json;q=-1", 200),
            ("/v1/things", "application/json;q=nan", 200),
            ("/v1/things", "application/json;q=0.0000", 406),
            ("/v1/things", "text/html, *; q=.2, */*; q=.2", 200),
            ("/v1/things", "text/html, application/json;q=-1", 406),
            ("/v1/things", "text/html, application/json;q=nan", 406),
            ("/v1/things", "text/html, application/json;q=inf", 406),
            ("/v1/things", "text/html, application/json;q=1.001", 406),
            ("/v1/things", "text/html, application/json;q=1e0", 406),
            ("/v1/things", "text/html, application/json;q=", 406),
            ("/v1/things", "application/json;q=nan, */*;q=0", 406),
            ("/v1/updates", "Text/Event-Stream", 200),
            ("/v1/updates", "application/json", 406),
            ("/v1/updates", "text/event-stream;q=0, */*", 406),
            ("/openapi.json", "text/html", 200),
        ] {
            let answer = testing::get(&app, path, &[("accept", accept)]).await;
            assert_eq!(answer.status, status, "{path}: {accept}");
        }
    }

    #[tokio::test]
    async fn a_body_that_no_operation_takes_is_refused() {
        let app = app();
        for (body, status) in [("", 200), ("{}", 400), ("{{{not json", 400)] {
            let body = axum::body::Body::from(body);
            let request = testing::request(Method::GET, "/v1/things", &[], body);
            assert_eq!(testing::send(&app, request).await.status, status);
        }
    }

    #[tokio::test]
    async fn a_parameter_that_no_operation_has_is_refused() {
        let app = app();
        for method in [Method::GET, Method::HEAD] {
            for (path, status) in [
                ("/v1/things?size=7", 200),
                ("/v1/things?limit=100", 200),
                ("/v1/things?", 200),
                ("/v1/things?size=7&colour=red", 422),
                ("/v1/things?owner=01890a5d-ac96-774b-bcce-b302099a8057", 200),
                ("/v1/things?owner=01890a5dac96774bbcceb302099a8057", 422),
                ("/v1/things?limit=5&limit=x", 400),
                ("/v1/things?limit=x&limit=5", 400),
                ("/v1/things?%53ize=7", 422),
                ("/v1/updates?size=7", 422),
                ("/problems?size=7", 422),
                ("/docs/?size=7", 200),
            ] {
                let body = axum::body::Body::empty();
                let request = testing::request(method.clone(), path, &[], body);
                let answer = testing::send(&app, request).await;
                assert_eq!(answer.status, status, "{method} {path}");
                if method == Method::GET && path.contains("colour") {
                    assert_eq!(answer.pointers(), ["colour"]);
                }
            }
        }
    }

    #[tokio::test]
    async fn an_integer_that_is_none_or_out_of_range_is_told_its_range() {
        let app = app();
        for value in ["x", "", "1.5", "0", "101", "9223372036854775808"] {
            let answer = testing::get(&app, &format!("/v1/things?limit={value}"), &[]).await;
            assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{value}");
            let fault = &answer.json()["errors"][0];
            assert_eq!(fault["parameter"], "limit");
            assert_eq!(fault["detail"], "must be an integer from 1 to 100");
        }
    }
}
