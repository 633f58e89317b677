//! Rows 3 to 11: bodies that are not what a route takes. Each is tried at every place of every body,
//! nothing is appended, and the same body without the fault is accepted.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tidemark_tests::{App, client::Answer};

use crate::{
    mutate::{add, objects, places, put, put_text, remove, repeat_key},
    routes::{self, Route},
};

/// A test's App and its routes, and where the log was before the test.
struct Sweep {
    app: App,
    routes: Vec<Route>,
    head: i64,
}

impl Sweep {
    async fn start() -> Self {
        let app = App::start().await;
        let routes = routes::with_bodies(&app).await;
        let head = app.database.head().await;
        Self { app, routes, head }
    }

    /// Every route with its good body.
    fn bodies(&self) -> impl Iterator<Item = (&Route, &Value)> {
        self.routes
            .iter()
            .map(|route| (route, route.body.as_ref().unwrap()))
    }

    /// Fails if any of it has left a trace.
    async fn end(self) {
        assert_eq!(self.app.database.head().await, self.head);
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, route: &Route, case: &str) {
    assert_eq!(answer.status, status, "{} {case}: {answer:?}", route.path);
    answer.any_problem();
}

/// A problem that points at the place, or at what it is in where that cannot be told from its parts.
#[track_caller]
fn points_at(answer: &Answer, route: &Route, pointer: &str) {
    refused(answer, 422, route, pointer);
    let pointers = answer.pointers();
    let found = pointers.iter().any(|found| {
        !found.is_empty() && (pointer.starts_with(found) || found.starts_with(pointer))
    });
    assert!(found, "{} {pointer}: {pointers:?}", route.path);
}

#[tokio::test]
async fn row_3_malformed_json() {
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
async fn row_4_wrong_types() {
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
static OPTIONAL: LazyLock<Vec<&str>> = LazyLock::new(|| {
    vec![
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
    ]
});

#[tokio::test]
async fn row_4_missing_fields() {
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
async fn row_4_out_of_range() {
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
async fn row_5_unknown_fields() {
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
async fn row_6_repeated_keys() {
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

#[tokio::test]
async fn row_7_nul_in_strings_and_keys() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for place in places(body).iter().filter(|p| p.value.is_string()) {
            let text = put(body, &place.pointer, json!("a\0b")).to_string();
            points_at(&route.send_text(text).await, route, &place.pointer);
        }
        let text = add(body, "", "\0", json!(1)).to_string();
        refused(&route.send_text(text).await, 422, route, "a key");
    }
    sweep.end().await;
}

#[tokio::test]
async fn row_8_surrogates_and_invalid_utf_8() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for place in places(body).iter().filter(|p| p.value.is_string()) {
            let lone = put_text(body, &place.pointer, r#""\ud800""#);
            refused(&route.send_text(lone).await, 400, route, &place.pointer);
            let mut bytes = put_text(body, &place.pointer, r#""?""#).into_bytes();
            let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
            bytes[at] = 0xff;
            refused(&route.send_text(bytes).await, 400, route, &place.pointer);
        }
    }
    sweep.end().await;
}

#[tokio::test]
async fn row_9_numbers() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for place in places(body).iter().filter(|p| p.value.is_number()) {
            for number in [
                "1e400",
                "-0",
                "1e100000",
                "9223372036854775808",
                "9007199254740993",
                "1.5",
                "NaN",
            ] {
                let text = put_text(body, &place.pointer, number);
                points_at(&route.send_text(text).await, route, &place.pointer);
            }
        }
    }
    sweep.end().await;
}

#[tokio::test]
async fn rows_10_and_11_deep_and_large() {
    let sweep = Sweep::start().await;
    for (route, body) in sweep.bodies() {
        for place in places(body) {
            for depth in [129, 20_000] {
                let nested = "[".repeat(depth) + &"]".repeat(depth);
                let text = put_text(body, &place.pointer, &nested);
                let fits = text.len() <= route.body_bytes_max();
                let status = if fits { 400 } else { 413 };
                refused(&route.send_text(text).await, status, route, &place.pointer);
            }
        }
        let place = &places(body)[0].pointer;
        let items = "0,".repeat(1_000_000) + "0";
        for large in [format!("[{items}]"), format!("\"{}\"", "a".repeat(1 << 20))] {
            let text = put_text(body, place, &large);
            refused(&route.send_text(text).await, 413, route, place);
        }
    }
    sweep.end().await;
}
