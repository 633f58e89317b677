//! Finds all faults of a body that does not fit its type, so that a client need not send it once for each.
//!
//! A parser stops at the first fault. So each one is noted and put right by a value that the schema of the type
//! allows, and the parser starts again.

use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::schema::{Schema, parent};
use super::{FAULTS_MAX, FieldError, place, violations};
use crate::http::words;

/// All faults of a body, and the body with others in the place of wrong values, unless that cannot be found. Those that are known
/// already are `found`.
pub(super) fn of<T>(text: &str, mut found: Vec<FieldError>) -> (Option<T>, Vec<FieldError>)
where
    T: DeserializeOwned + Validate<Context = ()> + ToSchema + 'static,
{
    let Ok(mut body) = serde_json::from_str::<Value>(text) else {
        return (None, found);
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
                    .take(FAULTS_MAX - found.len())
                    .collect();
                found.extend(new);
                return (Some(value), found);
            }
        };
        let message = error.inner().to_string();
        let pointer = place(error.path(), &message);
        let words = words::of_parser(&message, schema.at(&pointer));
        let fault = FieldError::pointer(pointer.clone(), words);
        let is_known = found.iter().any(|known| known.place() == fault.place());
        if is_known {
            break;
        }
        if message.starts_with("unknown field ") {
            remove(&mut body, &pointer);
        } else {
            schema.put_right(&mut body, &pointer);
        }
        found.push(fault);
    }
    (None, found)
}

fn remove(body: &mut Value, pointer: &str) {
    if let Some((object, name)) = parent(body, pointer) {
        object.remove(&name);
    }
}
