//! Examples of the bodies of an operation.

use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;

use crate::schemas::{Schemas, as_json};

/// Gives each body of the operation an example, unless its route or its problems have declared one.
pub(super) fn exemplify(operation: &mut Operation, schemas: &Schemas) {
    let responses = operation.responses.responses.values_mut();
    let answers = responses.filter_map(inline);
    let answers = answers.flat_map(|it| it.content.values_mut());
    let request = operation.request_body.iter_mut().filter_map(inline);
    let request = request.flat_map(|it| it.content.values_mut());
    for content in request.chain(answers).filter_map(inline) {
        if content.example.is_none() && content.examples.is_empty() {
            content.example = Some(schemas.example(&as_json(&content.schema)));
        }
    }
}

fn inline<T>(described: &mut RefOr<T>) -> Option<&mut T> {
    match described {
        RefOr::T(described) => Some(described),
        RefOr::Ref(_) => None,
    }
}
