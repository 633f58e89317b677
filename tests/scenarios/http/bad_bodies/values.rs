//! A value that no field takes is refused at every place of every body.

use serde_json::json;

use super::attempts::{Sweep, points_at, refused};
use super::edits::{add, places, put, put_text};

#[tokio::test]
async fn nul_characters_in_strings_and_keys_are_refused() {
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
async fn lone_surrogates_and_invalid_utf_8_are_refused() {
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
async fn numbers_that_no_field_can_hold_are_pointed_at() {
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
async fn deep_nesting_and_huge_values_are_refused() {
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
