//! A body that is not the JSON that its route takes is refused, with a pointer to what is wrong.

use serde_json::{Value, json};

use tidemark_tests::App;

use super::attempts::{Attempts, assert_points_at, assert_refused};
use super::edits::{add_member, nodes, objects, remove_member, repeat_first_member, replace};
use crate::http::routes;
use crate::http::routes::Route;

#[tokio::test]
async fn malformed_json_is_refused() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for text in [
            String::new(),
            "{".to_owned(),
            format!("{body}x"),
            format!("{body}{body}"),
            format!("\u{feff}{body}"),
            body.to_string().replace('"', "'"),
            body.to_string().replacen('}', ",}", 1),
        ] {
            let answer = route.send_text(text.clone()).await;
            assert_refused(&answer, 400, route, &text);
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn a_route_that_takes_no_body_refuses_one() {
    let app = App::start().await;
    let routes = routes::all(&app).await;
    let head = app.database.head().await;
    let takes_none = |route: &&Route| route.body.is_none() && route.file.is_none();
    for route in routes.iter().filter(takes_none) {
        for text in ["{{{not json", "{}"] {
            let answer = route.send_text(text).await;
            assert_refused(&answer, 400, route, text);
            assert_eq!(answer.body["code"], "unexpected_body");
        }
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn values_of_the_wrong_type_are_pointed_at() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body) {
            let wrong = match &node.value {
                Value::String(_) => json!(17),
                Value::Number(_) => json!("17"),
                Value::Array(_) | Value::Null | Value::Bool(_) => json!({"a": 1}),
                Value::Object(_) => json!(["a"]),
            };
            let text = replace(body, &node.pointer, wrong).to_string();
            assert_points_at(&route.send_text(text).await, route, &node.pointer);
        }
        for document in ["[]", "null", "7", "\"a\""] {
            let answer = route.send_text(document).await;
            assert_refused(&answer, 422, route, document);
        }
    }
    attempts.assert_nothing_appended().await;
}

/// Serde would read an array as an object whose fields stand in the order of the source, and an object as the variant that
/// its key names.
#[tokio::test]
async fn an_array_is_no_object_and_an_object_is_no_text() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body) {
            let wrong = match &node.value {
                Value::Object(members) => members.values().cloned().collect(),
                Value::String(text) => json!({ text: null }),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => continue,
            };
            let text = replace(body, &node.pointer, wrong).to_string();
            assert_points_at(&route.send_text(text).await, route, &node.pointer);
        }
        let members: Value = body.as_object().unwrap().values().cloned().collect();
        let answer = route.send_text(members.to_string()).await;
        assert_refused(&answer, 422, route, "an array in place of the object");
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn missing_and_null_fields_are_pointed_at_unless_they_are_optional() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body) {
            if route.optional.contains(&&*node.pointer) {
                continue;
            }
            if let Some(without) = remove_member(body, &node.pointer) {
                let answer = route.send_text(without.to_string()).await;
                assert_points_at(&answer, route, &node.pointer);
                let null = replace(body, &node.pointer, Value::Null).to_string();
                assert_points_at(&route.send_text(null).await, route, &node.pointer);
            }
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn values_out_of_range_are_pointed_at() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for (pointer, value) in &route.out_of_range {
            let text = replace(body, pointer, value.clone()).to_string();
            // The problem may point at the part of the value that is wrong.
            assert_points_at(&route.send_text(text).await, route, &format!("{pointer}/0"));
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn unknown_fields_are_pointed_at() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        let has_fields = |object: &String| !route.maps.contains(&&**object);
        for object in objects(body).into_iter().filter(has_fields) {
            for name in ["is_admin", "owner_id", "version", "Email"] {
                let text = add_member(body, &object, name, json!(true)).to_string();
                let answer = route.send_text(text).await;
                assert_points_at(&answer, route, &format!("{object}/{name}"));
            }
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn repeated_keys_are_refused() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for object in objects(body) {
            let text = repeat_first_member(body, &object);
            let answer = route.send_text(text.clone()).await;
            assert_refused(&answer, 400, route, &text);
        }
    }
    attempts.assert_nothing_appended().await;
}
