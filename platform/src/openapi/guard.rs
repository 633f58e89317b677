//! Refuses what the description of an API does not have: a body or parameters in a query string that the operation does not
//! take, integers and UUIDs there of another form, a missing credential, and a client that accepts nothing which the
//! operation answers. No handler runs then, so no command takes effect. Headers that the description does not have are ignored, as
//! HTTP has it: no handler gets them, so that what a handler reads is described.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, RefOr};

use crate::auth::unauthenticated;
use crate::http::{
    CORRELATION_ID, FieldError, IDEMPOTENCY_KEY, Problem, TRACEPARENT, accepts, check_repetition,
    words,
};
use crate::schemas::{Schemas, as_json};

/// The headers that a handler gets of every request. Those of HTTP itself are no parameters, as `OpenAPI` says, and those that link
/// requests are read of all. The last one is refused by routes that do not take it, rather than ignored: a client that
/// sends it relies on it.
const OF_EVERY_REQUEST: [HeaderName; 10] = [
    ACCEPT,
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    CORRELATION_ID,
    TRACEPARENT,
    IDEMPOTENCY_KEY,
];

/// What an operation takes and answers.
#[derive(Debug, Default)]
struct Described {
    /// The parameters of the query string, each with its schema.
    parameters: BTreeMap<String, Value>,
    /// The headers that the handler gets.
    headers: HashSet<HeaderName>,
    takes_body: bool,
    /// Whether nobody may do this without a credential.
    needs_credential: bool,
    /// The media types of the answers that succeed.
    media_types: BTreeSet<String>,
}

/// The operations of an API, by path and method.
type Operations = HashMap<String, HashMap<Method, Described>>;

/// Gives the routes that `api` describes a guard. [`super::described`] does that for those of which clients are told.
pub fn guard(routes: Router, api: &OpenApi) -> Router {
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
    mut request: Request,
    next: Next,
) -> Response {
    // HEAD asks for what GET would answer.
    let method = match *request.method() {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let path = request.extensions().get::<MatchedPath>();
    let methods = path.and_then(|path| operations.get(path.as_str()));
    let Some(described) = methods.and_then(|methods| methods.get(method)) else {
        return next.run(request).await;
    };
    if let Err(problem) = described.check(&request) {
        return problem.into_response();
    }
    described.leave_own(request.headers_mut());
    next.run(request).await
}

impl Described {
    fn of(operation: &Operation) -> Self {
        let mut described = Self {
            takes_body: operation.request_body.is_some(),
            needs_credential: operation.security.as_ref().is_some_and(|ways| {
                !ways.is_empty() && !ways.contains(&SecurityRequirement::default())
            }),
            headers: OF_EVERY_REQUEST.into(),
            ..Self::default()
        };
        for parameter in operation.parameters.iter().flatten() {
            match parameter {
                RefOr::T(parameter) => described.take(parameter),
                // Only headers are described apart, each under its name.
                RefOr::Ref(reference) => {
                    let name = reference.ref_location.rsplit('/').next();
                    described.take_header(name.unwrap_or_default());
                }
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

    fn take(&mut self, parameter: &Parameter) {
        let name = &parameter.name;
        if parameter.parameter_in == ParameterIn::Query {
            let schema = as_json(&parameter.schema);
            self.parameters.insert(name.clone(), schema);
        } else if parameter.parameter_in == ParameterIn::Header {
            self.take_header(name);
        }
    }

    fn take_header(&mut self, name: &str) {
        self.headers.extend(HeaderName::try_from(name));
    }

    /// Removes the headers that the operation does not have.
    fn leave_own(&self, headers: &mut HeaderMap) {
        let others = headers.keys().filter(|name| !self.headers.contains(*name));
        let others: Vec<_> = others.cloned().collect();
        for name in others {
            headers.remove(name);
        }
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
mod tests;
