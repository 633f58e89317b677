//! Finds all faults of a body that does not fit its type, so that a client need not send it once for each.
//!
//! A parser stops at the first fault. So each one is noted and put right by a value that the schema of the type
//! allows, and the parser starts again.

use std::collections::HashMap;

use garde::Validate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{FieldError, place, violations};
use crate::http::words;

/// The most faults that are told at once.
const FAULTS_MAX: usize = 32;

/// All faults of a body. Those that are known already are `found`.
pub(super) fn of<T>(text: &str, mut found: Vec<FieldError>) -> Vec<FieldError>
where
    T: DeserializeOwned + Validate<Context = ()> + ToSchema,
{
    let Ok(mut body) = serde_json::from_str::<Value>(text) else {
        return found;
    };
    let schemas = Schemas::of::<T>();
    for fault in &found {
        schemas.put_right(&mut body, fault.place());
    }
    while found.len() < FAULTS_MAX {
        let error = match serde_path_to_error::deserialize::<_, T>(&body) {
            Err(error) => error,
            Ok(value) => {
                let told = |new: &FieldError| found.iter().any(|fault| fault.includes(new));
                let violations = value.validate().err().map(|report| violations(&report));
                let new: Vec<_> = violations
                    .into_iter()
                    .flatten()
                    .filter(|it| !told(it))
                    .collect();
                found.extend(new);
                break;
            }
        };
        let message = error.inner().to_string();
        let fault = FieldError::pointer(place(error.path(), &message), words::of_parser(&message));
        let is_known = found.iter().any(|known| known.place() == fault.place());
        if is_known {
            break;
        }
        if message.starts_with("unknown field ") {
            remove(&mut body, fault.place());
        } else {
            schemas.put_right(&mut body, fault.place());
        }
        found.push(fault);
    }
    found
}

/// The schema of a type and those that it refers to, as JSON.
struct Schemas {
    root: Value,
    named: HashMap<String, Value>,
}

impl Schemas {
    fn of<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let named = named
            .into_iter()
            .map(|(name, schema)| (name, as_json(schema)));
        Self {
            root: as_json(T::schema()),
            named: named.collect(),
        }
    }

    /// Replaces the value at `pointer` by one that its schema allows, or adds it.
    fn put_right(&self, body: &mut Value, pointer: &str) {
        let tokens = tokens(pointer);
        let schema = tokens.iter().try_fold(&self.root, |schema, token| {
            member(self.resolve(schema), token)
        });
        let value = schema.map_or(Value::Null, |schema| self.allowed(schema));
        if let Some(wrong) = body.pointer_mut(pointer) {
            *wrong = value;
        } else if let Some((object, name)) = parent(body, pointer) {
            object.insert(name, value);
        }
    }

    /// The schema itself, if it is a reference or may be null.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.named.get(name).unwrap_or(schema);
        }
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        let mut others = alternatives.filter(|it| it["type"] != "null");
        others.next().map_or(schema, |other| self.resolve(other))
    }

    /// A value that the schema allows.
    fn allowed(&self, schema: &Value) -> Value {
        let schema = self.resolve(schema);
        if let Some(first) = schema["enum"].get(0).or(schema["examples"].get(0)) {
            return first.clone();
        }
        let kind = &schema["type"];
        let kinds = kind.as_array();
        let kind = kinds.map_or(Some(kind), |kinds| kinds.iter().find(|it| *it != "null"));
        match kind.and_then(Value::as_str) {
            Some("object") => self.allowed_object(schema),
            Some("array") if schema["minItems"].as_u64() > Some(0) => {
                json!([self.allowed(&schema["items"])])
            }
            Some("array") => json!([]),
            Some("integer") => schema["minimum"].as_i64().unwrap_or(1).into(),
            Some("boolean") => Value::Bool(false),
            Some("string") => allowed_string(schema).into(),
            _ => Value::Null,
        }
    }

    fn allowed_object(&self, schema: &Value) -> Value {
        let required = schema["required"].as_array().into_iter().flatten();
        let member = |name: &str| (name.to_owned(), self.allowed(&schema["properties"][name]));
        let members = required.filter_map(Value::as_str).map(member);
        Value::Object(members.collect::<Map<_, _>>())
    }
}

fn member<'a>(schema: &'a Value, token: &str) -> Option<&'a Value> {
    let members = [
        &schema["properties"][token],
        &schema["items"],
        &schema["additionalProperties"],
    ];
    members.into_iter().find(|member| member.is_object())
}

fn allowed_string(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("uuid") => uuid::Uuid::nil().to_string(),
        Some("date-time") => "2027-01-31T12:00:00Z".to_owned(),
        Some("email") => "a@example.com".to_owned(),
        _ => {
            let length = schema["minLength"].as_u64();
            "a".repeat(length.and_then(|min| min.try_into().ok()).unwrap_or(1))
        }
    }
}

fn as_json(schema: impl Serialize) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

fn tokens(pointer: &str) -> Vec<String> {
    let tokens = pointer.split('/').skip(1);
    tokens
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// The object that holds the member at `pointer`, and the member's name.
fn parent<'a>(body: &'a mut Value, pointer: &str) -> Option<(&'a mut Map<String, Value>, String)> {
    let (object, _) = pointer.rsplit_once('/')?;
    let name = tokens(pointer).pop()?;
    Some((body.pointer_mut(object)?.as_object_mut()?, name))
}

fn remove(body: &mut Value, pointer: &str) {
    if let Some((object, name)) = parent(body, pointer) {
        object.remove(&name);
    }
}
