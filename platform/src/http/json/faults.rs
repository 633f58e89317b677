//! Finds all faults of a body that does not fit its type, so that a client need not send it once for each.
//!
//! A parser stops at the first fault. So each one is noted and put right by a value that the schema of the type
//! allows, and the parser starts again.

use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{FieldError, place, violations};
use crate::http::words;
use crate::schemas::{Schemas, as_json};

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
    let schema = Schema::of::<T>();
    for fault in &found {
        schema.put_right(&mut body, fault.place());
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
            schema.put_right(&mut body, fault.place());
        }
        found.push(fault);
    }
    found
}

/// The schema of a type and those that it refers to.
struct Schema {
    root: Value,
    schemas: Schemas,
}

impl Schema {
    fn of<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        Self {
            root: as_json(T::schema()),
            schemas: Schemas::new(named),
        }
    }

    /// Replaces the value at `pointer` by one that its schema allows, or adds it.
    fn put_right(&self, body: &mut Value, pointer: &str) {
        let tokens = tokens(pointer);
        let schema = tokens.iter().try_fold(&self.root, |schema, token| {
            member(self.schemas.resolve(schema), token)
        });
        let value = schema.map_or(Value::Null, |schema| self.schemas.example(schema));
        if let Some(wrong) = body.pointer_mut(pointer) {
            *wrong = value;
        } else if let Some((object, name)) = parent(body, pointer) {
            object.insert(name, value);
        }
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
