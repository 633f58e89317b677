//! JSON bodies, read strictly: what some parsers accept and others do not, or what Postgres cannot
//! store, is refused before it reaches a handler. `body` has already limited how large the body is and
//! how long it takes to arrive.

mod faults;
mod schema;
mod strict;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use utoipa::ToSchema;

use self::schema::Schema;
use super::body::BodyLimits;
use super::{FieldError, Problem, words};

/// The most faults of a body that are told at once.
const FAULTS_MAX: usize = 32;

/// A JSON body of a request or a response. As an extractor it parses and then validates: another media
/// type is answered 415, a text that is not JSON 400, and unacceptable values 422 with a pointer to each of
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned + Validate<Context = ()> + ToSchema + 'static,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Stated { body, faults } = Stated::from_request(request, state).await?;
        if faults.is_none() {
            Ok(Self(body))
        } else {
            Err(faults.into())
        }
    }
}

/// A JSON body of which the handler checks more than its type does, and what the type has found wrong, so that all faults can be told at once.
/// In the place of each value that the type does not take stands another one, so nothing is to be done before
/// [`Self::faults`] are found to be none.
#[derive(Debug)]
pub struct Stated<T> {
    /// The body, which is as it was sent if nothing is wrong with it.
    pub body: T,
    /// What is wrong with it.
    pub faults: Faults,
}

impl<T, S> FromRequest<S> for Stated<T>
where
    T: DeserializeOwned + Validate<Context = ()> + ToSchema + 'static,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        let depth_max = BodyLimits::of(request.extensions()).json_depth_max;
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|e| Problem::bad_request("unreadable_body", e.body_text()))?;
        let (body, faults) = parse(&body, depth_max)?;
        match body {
            Some(body) => Ok(Self { body, faults }),
            None => Err(faults.into()),
        }
    }
}

/// What is wrong with the values of a body.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is at this pointer or around it, so that another value stands there. What is found of it is not to be told.
    #[must_use]
    pub fn touch(&self, pointer: &str) -> bool {
        let place = FieldError::pointer(pointer, "");
        self.0.iter().any(|fault| fault.includes(&place))
    }

    /// Tells also what is wrong elsewhere in the body, but no more than may be told at once.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = FieldError>) -> Self {
        for fault in others {
            let is_told = self.0.iter().any(|told| told.includes(&fault));
            if !is_told && self.0.len() < FAULTS_MAX {
                self.0.push(fault);
            }
        }
        self
    }
}

impl From<Faults> for Problem {
    fn from(Faults(errors): Faults) -> Self {
        Self::invalid(errors)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail| {
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            detail,
        ))
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return refuse("The body must not be encoded: send it without Content-Encoding.");
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.map(without_parameters);
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case("application/json") => Ok(()),
        _ => refuse("The body must be JSON, sent with Content-Type: application/json."),
    }
}

/// A media type without what follows it, such as a set of characters.
#[must_use]
pub fn without_parameters(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// The body, and all that is wrong with it. There is none if it is so wrong that it cannot be put right.
fn parse<T>(body: &[u8], depth_max: usize) -> Result<(Option<T>, Faults), Problem>
where
    T: DeserializeOwned + Validate<Context = ()> + ToSchema + 'static,
{
    let malformed = |detail: String| Problem::bad_request("malformed_json", detail);
    let text = std::str::from_utf8(body).map_err(|error| {
        let valid = error.valid_up_to();
        malformed(format!(
            "The body is not UTF-8 after its first {valid} bytes."
        ))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(malformed("A JSON body is required.".to_owned()));
    }
    let mut refused = strict::check(text, depth_max).map_err(malformed)?;
    if let Ok(body) = serde_json::from_str(text) {
        Schema::of::<T>().tell_misfits(&body, &mut refused);
    }
    if refused.is_empty()
        && let Ok(value) = serde_json::from_str::<T>(text)
        && value.validate().is_ok()
    {
        return Ok((Some(value), Faults::default()));
    }
    let (body, found) = faults::of::<T>(text, refused);
    // What is refused is not accepted because nobody can say what is wrong with it.
    let body = body.filter(|_| !found.is_empty());
    Ok((body, Faults(found)))
}

/// A JSON pointer to where a value does not fit its type.
fn place(path: &Path, message: &str) -> String {
    let mut pointer = pointer(path);
    // Serde reports a missing field at the object that lacks it; the pointer should name the field.
    if let Some(name) = message
        .strip_prefix("missing field `")
        .and_then(|d| d.strip_suffix('`'))
    {
        strict::push(&mut pointer, name);
    }
    pointer
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => strict::push(&mut pointer, &index.to_string()),
            Segment::Map { key } => strict::push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Turns the paths that garde writes as `lines[0].amount` into pointers.
fn violations(report: &garde::Report) -> Vec<FieldError> {
    let pointer = |path: &garde::Path| match path.to_string() {
        path if path.is_empty() => path,
        path => format!("/{}", path.replace(['.', '['], "/").replace(']', "")),
    };
    report
        .iter()
        .map(|(path, error)| FieldError::pointer(pointer(path), words::of_rule(error.message())))
        .collect()
}
