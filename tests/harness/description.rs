//! Compares the answers that tests get with the descriptions of both APIs: what an API answers, it describes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::{Map, Value, json};
use tidemark_platform::Config;

use crate::client::Answer;

/// The headers of answers that no description has: those of HTTP itself and of its connections, and those that tell caches and
/// browsers what to do with an answer.
const UNDESCRIBED: [&str; 18] = [
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "date",
    "keep-alive",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
    "x-frame-options",
];

/// An operation of an API.
struct Operation {
    method: String,
    template: String,
    responses: Map<String, Value>,
    /// What the bodies of answers must be, by their status.
    bodies: BTreeMap<String, Validator>,
}

static OPERATIONS: LazyLock<Vec<Operation>> =
    LazyLock::new(|| apis().iter().flat_map(operations).collect());

/// The descriptions of the command API and of the query API, with the default settings.
#[must_use]
pub fn apis() -> [Value; 2] {
    let config = Config::from_vars([]).unwrap();
    let query = tidemark_query_api::api(&config.query);
    [tidemark_command_api::api(), query].map(|api| serde_json::to_value(api).unwrap())
}

fn operations(api: &Value) -> Vec<Operation> {
    let mut components = api["components"].clone();
    close(&mut components["schemas"]);
    let mut operations = Vec::new();
    for (template, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().clone();
            let bodies = responses.iter().filter_map(|(status, response)| {
                let schema = response["content"]["application/json"].get("schema")?;
                Some((status.clone(), validator(&components, schema)))
            });
            operations.push(Operation {
                method: method.to_uppercase(),
                template: template.clone(),
                bodies: bodies.collect(),
                responses,
            });
        }
    }
    operations
}

/// Allows no field that a schema does not have, unless it says which others there may be.
pub fn close(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().unwrap() {
        let is_open = schema["properties"].is_null() || !schema["additionalProperties"].is_null();
        // A problem has further members, which depend on its code.
        if !is_open && name != "Problem" {
            schema["additionalProperties"] = false.into();
        }
    }
}

/// What checks a value against a schema that refers to these components of a description.
#[must_use]
pub fn validator(components: &Value, schema: &Value) -> Validator {
    let document = json!({"allOf": [schema], "components": components});
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&document).unwrap()
}

/// Fails the test unless the API describes this answer to a request. What no operation answers is not described:
/// that the API has no such path, or not this method.
#[track_caller]
pub(crate) fn assert_described(method: &Method, path: &str, answer: &Answer) {
    let is_of_no_operation =
        answer.status == 405 || (method != Method::GET && answer.code() == "not_found");
    let mut operations = OPERATIONS.iter();
    let operation = operations.find(|it| it.method == method.as_str() && fits(&it.template, path));
    if !is_of_no_operation
        && let Some(lack) = operation.and_then(|operation| operation.lack_of(answer))
    {
        panic!("{method} {path} does not describe {lack} of {answer:?}");
    }
}

impl Operation {
    /// What of this answer the operation should describe and does not.
    fn lack_of(&self, answer: &Answer) -> Option<String> {
        let Some(described) = self.responses.get(&answer.status.to_string()) else {
            return Some("the status".to_owned());
        };
        let problems = &described["content"]["application/problem+json"]["examples"];
        if answer.status >= 400 && problems.get(answer.code()).is_none() {
            return Some("the code".to_owned());
        }
        // A compressed body is not read.
        if !answer.body.is_null()
            && let Some(validator) = self.bodies.get(&answer.status.to_string())
            && let Err(error) = validator.validate(&answer.body)
        {
            return Some(format!("{error} at {}", error.instance_path()));
        }
        let mut headers = answer.headers.keys().map(HeaderName::as_str);
        let header = headers.find(|name| !is_left_out(name) && !has(described, name))?;
        Some(format!("the header {header}"))
    }
}

/// Whether no description has this header.
fn is_left_out(name: &str) -> bool {
    UNDESCRIBED.contains(&name) || name.starts_with("access-control-")
}

/// Whether a described answer has this header, which is in lower case.
fn has(answer: &Value, header: &str) -> bool {
    let headers = answer["headers"].as_object().into_iter().flatten();
    let mut names = headers.map(|(name, _)| name);
    names.any(|name| name.eq_ignore_ascii_case(header))
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(found)) if part == found => {}
            (Some(part), Some(found)) if part.starts_with('{') && !found.is_empty() => {}
            _ => return false,
        }
    }
}
