//! A value that no field takes is refused at every node of every body.

use serde_json::json;

use super::attempts::{Attempts, assert_points_at, assert_refused};
use super::edits::{add_member, nodes, replace, replace_by_text};

#[tokio::test]
async fn nul_characters_in_strings_and_keys_are_refused() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body).iter().filter(|p| p.value.is_string()) {
            let text = replace(body, &node.pointer, json!("a\0b")).to_string();
            assert_points_at(&route.send_text(text).await, route, &node.pointer);
        }
        let text = add_member(body, "", "\0", json!(1)).to_string();
        assert_refused(&route.send_text(text).await, 422, route, "a key");
    }
    attempts.assert_nothing_appended().await;
}

/// Each body is read with the rules of its values, whatever else its route reads without them. Some fields,
/// such as tokens, have rules of their own.
#[tokio::test]
async fn characters_that_no_event_may_hold_are_refused_in_every_text() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body).iter().filter(|p| p.value.is_string()) {
            for character in ["\u{202e}", "\u{7}"] {
                let text = replace(body, &node.pointer, json!(character)).to_string();
                let answer = route.send_text(text).await;
                let status = answer.status;
                assert!(
                    (400..500).contains(&status),
                    "{} {node:?}: {answer:?}",
                    route.path
                );
            }
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn lone_surrogates_and_invalid_utf_8_are_refused() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body).iter().filter(|p| p.value.is_string()) {
            let lone = replace_by_text(body, &node.pointer, r#""\ud800""#);
            assert_refused(&route.send_text(lone).await, 400, route, &node.pointer);
            let mut bytes = replace_by_text(body, &node.pointer, r#""?""#).into_bytes();
            let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
            bytes[at] = 0xff;
            assert_refused(&route.send_text(bytes).await, 400, route, &node.pointer);
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn numbers_that_no_field_can_hold_are_pointed_at() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body).iter().filter(|p| p.value.is_number()) {
            for number in [
                "1e400",
                "-0",
                "1e100000",
                "9223372036854775808",
                "9007199254740993",
                "1.5",
                "NaN",
            ] {
                let text = replace_by_text(body, &node.pointer, number);
                assert_points_at(&route.send_text(text).await, route, &node.pointer);
            }
        }
    }
    attempts.assert_nothing_appended().await;
}

#[tokio::test]
async fn deep_nesting_and_huge_values_are_refused() {
    let attempts = Attempts::start().await;
    for (route, body) in attempts.bodies() {
        for node in nodes(body) {
            for depth in [129, 20_000] {
                let nested = "[".repeat(depth) + &"]".repeat(depth);
                let text = replace_by_text(body, &node.pointer, &nested);
                let fits = text.len() <= route.body_bytes_max;
                let status = if fits { 400 } else { 413 };
                assert_refused(&route.send_text(text).await, status, route, &node.pointer);
            }
        }
        let node = &nodes(body)[0].pointer;
        let items = "0,".repeat(1_000_000) + "0";
        for large in [format!("[{items}]"), format!("\"{}\"", "a".repeat(1 << 20))] {
            let text = replace_by_text(body, node, &large);
            assert_refused(&route.send_text(text).await, 413, route, node);
        }
    }
    attempts.assert_nothing_appended().await;
}
