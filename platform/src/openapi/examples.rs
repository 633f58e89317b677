//! Examples of the bodies and the parameters of an operation.

use utoipa::openapi::path::{Operation, ParameterBuilder};
use utoipa::openapi::{RefOr, Schema};

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
    exemplify_parameters(operation, schemas);
}

/// Gives each parameter an example: the one that its route states, or its default, or what its schema allows. It stands in the
/// schema, because the page on which an API is tried would fill in one of the parameter, and ask for what is not there.
fn exemplify_parameters(operation: &mut Operation, schemas: &Schemas) {
    let parameters = operation.parameters.iter_mut().flatten();
    for parameter in parameters.filter_map(inline) {
        let stated = as_json(&*parameter).get("example").cloned();
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
            let stated = stated.or_else(|| schema.default.clone());
            let example = stated.unwrap_or_else(|| schemas.example(&as_json(&*schema)));
            schema.examples = vec![example];
            *parameter = ParameterBuilder::from(parameter.clone())
                .example(None)
                .build();
        }
    }
}

fn inline<T>(described: &mut RefOr<T>) -> Option<&mut T> {
    match described {
        RefOr::T(described) => Some(described),
        RefOr::Ref(_) => None,
    }
}
