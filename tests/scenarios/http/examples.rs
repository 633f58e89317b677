//! Every body and every parameter of both descriptions has an example that fits its schema, and every command accepts the example of its
//! body.

use serde_json::Value;
use tidemark_tests::{App, close, validator};

use super::description::{operations, resolve};
use super::routes;

/// A body that an API describes.
struct Body<'a> {
    /// The operation, and whether this is its request or which answer.
    place: String,
    content: &'a Value,
}

/// The bodies of all requests and answers.
fn bodies(api: &Value) -> Vec<Body<'_>> {
    let mut bodies = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap().iter();
            let answers = answers.map(|(status, answer)| (status.as_str(), answer));
            for (name, described) in answers.chain([("request", &operation["requestBody"])]) {
                for content in described["content"].as_object().into_iter().flatten() {
                    bodies.push(Body {
                        place: format!("{method} {path} {name}"),
                        content: content.1,
                    });
                }
            }
        }
    }
    bodies
}

/// The examples of a body, which its content states, or to which it refers.
fn examples<'a>(api: &'a Value, content: &'a Value) -> Vec<&'a Value> {
    let listed = content["examples"].as_object().into_iter().flatten();
    let listed = listed.map(|(_, example)| {
        let reference = example["$ref"].as_str().unwrap();
        &api.pointer(&reference[1..]).unwrap()["value"]
    });
    listed.chain(content.get("example")).collect()
}

/// Fails if a text has no example of its own: then it is as many letters `a` as it must have.
fn assert_declared(example: &Value, place: &str) {
    match example {
        Value::String(text) => assert_ne!(text.trim_matches('a'), "", "{place}"),
        Value::Array(items) => items.iter().for_each(|it| assert_declared(it, place)),
        Value::Object(fields) => {
            for (name, field) in fields {
                assert_declared(field, &format!("{place} {name}"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_body_has_an_example_that_fits_its_schema() {
    for api in tidemark_tests::apis() {
        let mut components = api["components"].clone();
        close(&mut components["schemas"]);
        for Body { place, content } in bodies(&api) {
            let examples = examples(&api, content);
            assert!(!examples.is_empty(), "{place}");
            let validator = validator(&components, &content["schema"]);
            for example in examples {
                assert_declared(example, &place);
                if let Err(error) = validator.validate(example) {
                    panic!("{place}: {error} at {} of {example}", error.instance_path());
                }
            }
        }
    }
}

/// The examples of a parameter, which it states, or which its schema states or refers to.
fn examples_of_parameter<'a>(api: &'a Value, parameter: &'a Value) -> Vec<&'a Value> {
    let schema = resolve(api, &parameter["schema"]);
    let listed = [&schema["examples"], &schema["enum"]].map(Value::as_array);
    let listed = listed.into_iter().flatten().flatten();
    let stated = parameter.get("example").or_else(|| schema.get("example"));
    listed.chain(stated).collect()
}

#[test]
fn every_parameter_has_an_example_that_fits_its_schema() {
    for api in tidemark_tests::apis() {
        for (place, operation) in operations(&api) {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let parameter = resolve(&api, parameter);
                let place = format!("{place} {}", parameter["name"]);
                let examples = examples_of_parameter(&api, parameter);
                assert!(!examples.is_empty(), "{place}");
                let validator = validator(&api["components"], &parameter["schema"]);
                for example in examples {
                    assert_declared(example, &place);
                    if let Err(error) = validator.validate(example) {
                        panic!("{place}: {error} of {example}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn every_command_accepts_the_example_of_its_body() {
    let app = App::start().await;
    let [api, _] = tidemark_tests::apis();
    for mut route in routes::with_bodies(&app).await {
        let operation = &api["paths"][route.template]["post"];
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        route.body = Some(example.clone());
        let answer = route.send().await;
        // Rules may refuse it, because what it names does not exist, or its time has passed.
        let is_valid = ![400, 413, 415, 422].contains(&answer.status);
        let is_accepted = is_valid || answer.code() == "position_not_in_log";
        assert!(is_accepted, "{}: {answer:?} to {example}", route.template);
    }
}
