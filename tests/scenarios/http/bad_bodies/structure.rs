//! A body that is not the JSON that its route takes is refused, with a pointer to what is wrong.

use serde_json::{Value, json};

use super::attempts::{Sweep, points_at, refused};
use super::edits::{add, objects, places, put, remove, repeat_key};

#[tokio::test]
async fn malformed_json_is_refused() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
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
            refused(&answer, 400, route, &text);
        }
    }
    sweep.end().await;
}

#[tokio::test]
async fn values_of_the_wrong_type_are_pointed_at() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for place in places(body) {
            let wrong = match &place.value {
                Value::String(_) => json!(17),
                Value::Number(_) => json!("17"),
                Value::Array(_) | Value::Null | Value::Bool(_) => json!({"a": 1}),
                Value::Object(_) => json!(["a"]),
            };
            let text = put(body, &place.pointer, wrong).to_string();
            points_at(&route.send_text(text).await, route, &place.pointer);
        }
        for whole in ["[]", "null", "7", "\"a\""] {
            let answer = route.send_text(whole).await;
            refused(&answer, 422, route, whole);
        }
    }
    sweep.end().await;
}

/// What may be left out, since it has a default or is optional.
const OPTIONAL: [&str; 11] = [
    "/parent_id",
    "/sort_order",
    "/description",
    "/images",
    "/specifications",
    "/specifications/weight",
    "/shipping",
    "/reserve_price",
    "/buy_now_price",
    "/starts_at",
    "/anti_sniping_window_s",
];

#[tokio::test]
async fn missing_and_null_fields_are_pointed_at_unless_they_are_optional() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for place in places(body) {
            if OPTIONAL.contains(&&*place.pointer) {
                continue;
            }
            if let Some(without) = remove(body, &place.pointer) {
                let answer = route.send_text(without.to_string()).await;
                points_at(&answer, route, &place.pointer);
                let null = put(body, &place.pointer, Value::Null).to_string();
                points_at(&route.send_text(null).await, route, &place.pointer);
            }
        }
    }
    sweep.end().await;
}

#[tokio::test]
async fn values_out_of_range_are_pointed_at() {
    let sweep = Sweep::start().await;
    let many = |n: usize, item: &str| json!(vec![item; n]);
    let too_much: [(&str, Vec<Value>); 18] = [
        (
            "/email",
            vec![
                json!("no address"),
                json!("a@b@c.example"),
                json!("a@b\r\n.example"),
            ],
        ),
        ("/display_name", vec![json!(""), json!("a".repeat(101))]),
        ("/role", vec![json!("king"), json!("Admin"), json!("")]),
        ("/name", vec![json!(""), json!("a".repeat(101))]),
        (
            "/slug",
            vec![
                json!(""),
                json!("A"),
                json!("a--b"),
                json!("-a"),
                json!("a".repeat(61)),
            ],
        ),
        (
            "/sort_order",
            vec![
                json!(2_147_483_648_i64),
                json!(-2_147_483_649_i64),
                json!(1.5),
            ],
        ),
        ("/parent_id", vec![json!("17"), json!("")]),
        ("/title", vec![json!(""), json!("a".repeat(201))]),
        ("/description", vec![json!("a".repeat(10_001))]),
        ("/condition", vec![json!("shiny"), json!("Good")]),
        ("/images", vec![many(21, "a"), many(1, "")]),
        (
            "/specifications",
            vec![json!({"": "a"}), json!({"a": "b".repeat(201)})],
        ),
        (
            "/shipping/countries",
            vec![many(0, ""), many(251, "DE"), many(1, "de"), many(1, "DEU")],
        ),
        (
            "/starting_price/currency",
            vec![json!("eur"), json!("EURO"), json!("")],
        ),
        (
            "/minimum_increment",
            vec![json!(0), json!(-1), json!(1_000_000_000_000_001_i64)],
        ),
        (
            "/reserve_price",
            vec![json!(0), json!(-1), json!(1_000_000_000_000_001_i64)],
        ),
        ("/anti_sniping_window_s", vec![json!(-1), json!(3_601)]),
        (
            "/ends_at",
            vec![json!("tomorrow"), json!("2026-02-30T00:00:00Z"), json!("")],
        ),
    ];
    for (pointer, values) in too_much {
        let mut tried = 0;
        for (route, body) in sweep.bodies() {
            // To log in with what cannot be an address is to know the wrong one.
            if body.pointer(pointer).is_none() || route.template == "/v1/sessions" {
                continue;
            }
            tried += 1;
            for value in &values {
                let text = put(body, pointer, value.clone()).to_string();
                points_at(&route.send_text(text).await, route, &format!("{pointer}/0"));
            }
        }
        assert!(tried > 0, "no body has {pointer}");
    }
    sweep.end().await;
}

#[tokio::test]
async fn unknown_fields_are_pointed_at() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for object in objects(body) {
            for name in ["is_admin", "owner_id", "version", "Email"] {
                let text = add(body, &object, name, json!(true)).to_string();
                let answer = route.send_text(text).await;
                points_at(&answer, route, &format!("{object}/{name}"));
            }
        }
    }
    sweep.end().await;
}

#[tokio::test]
async fn repeated_keys_are_refused() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for object in objects(body) {
            let text = repeat_key(body, &object);
            let answer = route.send_text(text.clone()).await;
            refused(&answer, 400, route, &text);
        }
    }
    sweep.end().await;
}
