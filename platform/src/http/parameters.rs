//! Extractors for the parameters of paths and query strings, which refuse with problems.

use std::collections::HashSet;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{FieldError, Problem, words};

/// The parameters of the path. Values of another type than the route expects are answered 400.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        let invalid = |detail| Problem::bad_request("invalid_path", detail);
        // No parameter can be looked at then.
        if let Some(name) = path.as_ref().err().and_then(not_utf8) {
            return Err(invalid(format!("`{name}` must be UTF-8.")));
        }
        let given = RawPathParams::from_request_parts(parts, state).await;
        let given = given.map_err(Problem::internal)?;
        match path {
            Ok(axum::extract::Path(value)) => match other_uuid(&given) {
                Some(name) => Err(invalid(format!("`{name}` {}.", words::UUID))),
                None => Ok(Self(value)),
            },
            Err(rejection) => {
                let detail = misfit(&rejection, &given).unwrap_or_else(|| {
                    "A parameter of the path does not have the form that the description gives."
                        .to_owned()
                });
                // What the rejection itself says quotes the value, which may be anybody's.
                Err(invalid(detail))
            }
        }
    }
}

/// The parameter whose bytes are no text, if the path was refused for that.
fn not_utf8(rejection: &PathRejection) -> Option<&str> {
    if let PathRejection::FailedToDeserializePathParams(error) = rejection
        && let ErrorKind::InvalidUtf8InPathParam { key } = error.kind()
    {
        Some(key)
    } else {
        None
    }
}

/// The parameter that is a UUID in another form than the one that is taken.
fn other_uuid(given: &RawPathParams) -> Option<&str> {
    let mut given = given.iter();
    let (name, _) = given.find(|(_, value)| words::is_uuid_in_another_form(value))?;
    Some(name)
}

/// Which parameter of the path is wrong, and how, if that is known.
fn misfit(rejection: &PathRejection, given: &RawPathParams) -> Option<String> {
    let PathRejection::FailedToDeserializePathParams(error) = rejection else {
        return None;
    };
    let (name, message) = if let ErrorKind::DeserializeError { key, message, .. } = error.kind() {
        (key.as_str(), message)
    } else if let ErrorKind::Message(message) = error.kind() {
        // Serde quotes a value that is none of the allowed ones, but axum does not add which parameter has it.
        let is_quoted = |value: &str| message.contains(&format!("`{value}`"));
        let (name, _) = given.iter().find(|(_, value)| is_quoted(value))?;
        (name, message)
    } else {
        return None;
    };
    let fault = words::of_parser(message, &Value::Null);
    Some(format!("`{name}` {fault}."))
}

/// The parameters of the query string. A repeated one is answered 400; one that is unknown (if the type
/// has `deny_unknown_fields`) or unacceptable is answered 422.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Refuses a query string that has a parameter twice.
pub(crate) fn check_repetition(query: &str) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let Some((name, _)) = pairs.find(|(name, _)| !seen.insert(name.clone())) else {
        return Ok(());
    };
    let detail = format!("The parameter {name} is sent more than once.");
    Err(Problem::bad_request("repeated_parameter", detail))
}

fn parse<T: DeserializeOwned + Validate<Context = ()>>(query: &str) -> Result<T, Problem> {
    check_repetition(query)?;
    let pairs = form_urlencoded::parse(query.as_bytes());
    let value: T = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
        .map_err(|error| Problem::invalid(vec![unacceptable(&error)]))?;
    value.validate().map_err(|report| {
        let errors = report.iter().map(|(path, error)| {
            FieldError::parameter(path.to_string(), words::of_rule(error.message()))
        });
        Problem::invalid(errors.collect())
    })?;
    Ok(value)
}

fn unacceptable(error: &serde_path_to_error::Error<serde_urlencoded::de::Error>) -> FieldError {
    let detail = error.inner().to_string();
    // Serde reports a missing parameter without a path, but its message names the parameter.
    let missing = detail
        .strip_prefix("missing field `")
        .and_then(|d| d.strip_suffix('`'));
    FieldError::parameter(
        missing.map_or_else(|| error.path().to_string(), str::to_owned),
        words::of_parser(&detail, &Value::Null),
    )
}
