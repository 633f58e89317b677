//! Bodies of requests.

use axum::body::{Body, Bytes};
use axum::http::Method;
use futures::stream;

use super::{app, app_with};
use crate::testing::{Answer, request, send};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(body: impl Into<Body>) -> Answer {
    send(
        &app(),
        request(Method::POST, "/v1/orders", &[JSON], body.into()),
    )
    .await
}

async fn post_as(headers: &[(&str, &str)]) -> Answer {
    let body = Body::from(r#"{"name":"a","amount":1}"#);
    send(&app(), request(Method::POST, "/v1/orders", headers, body)).await
}

async fn assert_malformed(body: impl Into<Body>, case: &str) {
    assert_eq!(
        post(body).await.problem(),
        (400, "malformed_json".to_owned()),
        "{case}"
    );
}

async fn assert_invalid(body: &str, pointers: &[&str]) {
    let answer = post(body.to_owned()).await;
    assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{body}");
    assert_eq!(answer.pointers(), pointers, "{body}");
}

#[tokio::test]
async fn a_valid_body_is_accepted() {
    let body = " {\"name\": \"\\u00e9\\ud83d\\ude00\", \"amount\": 9007199254740991,\n\"extra\": [1.5e3, -1, {}, [], null, true]} ";
    let answer = post(body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["name"], "é😀");
}

#[tokio::test]
async fn a_body_that_is_missing_is_asked_for() {
    for body in ["", " \n"] {
        let answer = post(body).await;
        assert_eq!(answer.problem(), (400, "malformed_json".to_owned()));
        assert_eq!(answer.json()["detail"], "A JSON body is required.");
    }
}

#[tokio::test]
async fn a_number_out_of_range_is_told_the_range() {
    let answer = post(r#"{"name":"a","amount":1,"lines":[{"count":10}]}"#).await;
    assert_eq!(answer.json()["errors"][0]["detail"], "must be at most 9");
}

#[tokio::test]
async fn text_that_is_not_json_is_malformed() {
    for body in [
        "",
        " ",
        "{",
        "}",
        "{'name':'a'}",
        r#"{"name":"a","amount":1}x"#,
        r#"{"name":"a","amount":1}{}"#,
        "\u{feff}{\"name\":\"a\",\"amount\":1}",
        r#"{"name":"a",}"#,
        r#"{"name" "a"}"#,
        "{name:1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        r#"{"amount":01}"#,
        r#"{"amount":+1}"#,
        r#"{"amount":1.}"#,
        r#"{"amount":.5}"#,
        r#"{"amount":-}"#,
        r#"{"amount":1e}"#,
        r#"{"amount":0x10}"#,
        r#"{"name":"a"#,
        r#"{"name":"\x"}"#,
        "{\"name\":\"a\nb\"}",
        "nul",
        "nullx",
        "undefined",
        "/* */ {}",
        "\u{a0}{}",
    ] {
        assert_malformed(body, body).await;
    }
}

#[tokio::test]
async fn wrong_types_missing_fields_and_values_out_of_range_are_pointed_at() {
    assert_invalid(r#"{"name":1,"amount":1}"#, &["/name"]).await;
    assert_invalid(r#"{"name":"a","amount":"1"}"#, &["/amount"]).await;
    assert_invalid(r#"{"name":"a","amount":1.5}"#, &["/amount"]).await;
    assert_invalid(r#"{"name":"a"}"#, &["/amount"]).await;
    assert_invalid(r#"{"name":null,"amount":1}"#, &["/name"]).await;
    assert_invalid("[]", &[""]).await;
    assert_invalid("null", &[""]).await;
    assert_invalid(r#"{"name":"a","amount":0}"#, &["/amount"]).await;
    assert_invalid(
        r#"{"name":"a","amount":1,"lines":[{"count":1},{"count":256}]}"#,
        &["/lines/1/count"],
    )
    .await;
    assert_invalid(
        r#"{"name":"a","amount":1,"lines":[{"count":1},{"count":10}]}"#,
        &["/lines/1/count"],
    )
    .await;
    assert_invalid(
        r#"{"name":"a","amount":1,"lines":[{}]}"#,
        &["/lines/0/count"],
    )
    .await;
    // All violations are reported at once.
    assert_invalid(
        r#"{"name":"aaaaaaaaaaaaaaaaaaaaa","amount":0}"#,
        &["/amount", "/name"],
    )
    .await;
}

#[tokio::test]
async fn unknown_fields_are_pointed_at() {
    assert_invalid(r#"{"name":"a","amount":1,"is_admin":true}"#, &["/is_admin"]).await;
    assert_invalid(
        r#"{"name":"a","amount":1,"lines":[{"count":1,"a/b":1}]}"#,
        &["/lines/0/a~1b"],
    )
    .await;
}

#[tokio::test]
async fn a_repeated_key_is_malformed() {
    assert_malformed(r#"{"name":"a","amount":1,"amount":2}"#, "top").await;
    assert_malformed(r#"{"name":"a","amount":1,"\u0061mount":2}"#, "escaped").await;
    assert_malformed(
        r#"{"name":"a","amount":1,"extra":{"x":[{"y":1,"y":1}]}}"#,
        "deep",
    )
    .await;
}

#[tokio::test]
async fn the_character_nul_is_refused() {
    assert_invalid(r#"{"name":"a\u0000b","amount":1}"#, &["/name"]).await;
    assert_invalid(
        r#"{"name":"a","amount":1,"extra":["\u0000"]}"#,
        &["/extra/0"],
    )
    .await;
    let answer = post(r#"{"name":"a","amount":1,"extra":{"\u0000":1}}"#).await;
    assert_eq!(answer.status, 422);
    assert_malformed("{\"name\":\"a\0b\",\"amount\":1}", "raw").await;
}

#[tokio::test]
async fn noncharacters_are_refused() {
    for character in [
        '\u{fffe}',
        '\u{ffff}',
        '\u{fdd0}',
        '\u{fdef}',
        '\u{1fffe}',
        '\u{10ffff}',
    ] {
        let body = format!(r#"{{"name":"a{character}b","amount":1}}"#);
        assert_invalid(&body, &["/name"]).await;
        let body = format!(r#"{{"name":"a","amount":1,"extra":{{"{character}":1}}}}"#);
        assert_eq!(post(body).await.status, 422);
    }
    assert_invalid(r#"{"name":"\ud83f\udffe","amount":1}"#, &["/name"]).await;
    for character in ['\u{fffd}', '\u{fdcf}', '\u{fdf0}', '\u{1fffd}'] {
        let body = format!(r#"{{"name":"a{character}b","amount":1}}"#);
        assert_eq!(post(body).await.status, 200, "{character:?}");
    }
}

#[tokio::test]
async fn text_that_is_not_unicode_is_malformed() {
    assert_malformed(r#"{"name":"\ud800","amount":1}"#, "lone surrogate").await;
    assert_malformed(
        r#"{"name":"\udc00\ud800","amount":1}"#,
        "swapped surrogates",
    )
    .await;
    assert_malformed(
        Bytes::from_static(b"{\"name\":\"\xff\",\"amount\":1}"),
        "not UTF-8",
    )
    .await;
    assert_malformed(
        Bytes::from_static(b"{\"name\":\"\xed\xa0\x80\",\"amount\":1}"),
        "CESU-8",
    )
    .await;
}

#[tokio::test]
async fn numbers_that_clients_cannot_represent_are_refused() {
    for number in [
        "1e400",
        "-1e400",
        "-0",
        "-0.0",
        "-0e0",
        "1e100000",
        "9223372036854775808",
        "9007199254740993",
        "-9223372036854775808",
        "99999999999999999999999",
        "NaN",
        "Infinity",
    ] {
        assert_invalid(
            &format!(r#"{{"name":"a","amount":{number}}}"#),
            &["/amount"],
        )
        .await;
        assert_invalid(
            &format!(r#"{{"name":"a","amount":1,"extra":{{"n":[{number}]}}}}"#),
            &["/extra/n/0"],
        )
        .await;
    }
}

#[tokio::test]
async fn nesting_is_limited() {
    let nested = |depth: usize| {
        format!(
            r#"{{"name":"a","amount":1,"extra":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert_eq!(post(nested(31)).await.status, 200);
    for depth in [32, 129, 20_000] {
        assert_malformed(nested(depth), &depth.to_string()).await;
    }
    assert_malformed("[".repeat(60_000), "unclosed").await;
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused() {
    assert_invalid(
        &format!(r#"{{"name":"{}","amount":1}}"#, "a".repeat(60_000)),
        &["/name"],
    )
    .await;
    let long = format!(r#"{{"name":"{}","amount":1}}"#, "a".repeat(1 << 20));
    assert_eq!(
        post(long).await.problem(),
        (413, "body_too_large".to_owned())
    );
}

#[tokio::test]
async fn a_body_over_the_limit_closes_the_connection() {
    let chunk = Bytes::from(vec![b' '; 1024]);
    let endless = Body::from_stream(stream::repeat_with(move || {
        Ok::<_, std::io::Error>(chunk.clone())
    }));
    for body in [Body::from(vec![b' '; 65_537]), endless] {
        let answer = post(body).await;
        assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
        assert_eq!(answer.header("connection"), "close");
    }
    // A group of routes may have a smaller limit.
    let body = Body::from(r#"{"name":"aaaaaaaaaa","amount":123}"#);
    let answer = send(&app(), request(Method::POST, "/v1/small", &[JSON], body)).await;
    assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
    let body = Body::from(r#"{"name":"a","amount":123}"#);
    assert_eq!(
        send(&app(), request(Method::POST, "/v1/small", &[JSON], body))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn only_json_is_supported() {
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/jsonp")],
    ] {
        let answer = post_as(headers).await;
        assert_eq!(
            answer.problem(),
            (415, "unsupported_media_type".to_owned()),
            "{headers:?}"
        );
    }
    assert_eq!(
        post_as(&[("content-type", "Application/JSON; charset=utf-8")])
            .await
            .status,
        200
    );
    assert_eq!(
        post_as(&[JSON, JSON]).await.problem(),
        (400, "repeated_header".to_owned())
    );
}

#[tokio::test]
async fn an_encoded_body_is_not_supported() {
    let answer = post_as(&[JSON, ("content-encoding", "gzip")]).await;
    assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_not_waited_for() {
    let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = send(
        &app_with(&[]),
        request(Method::POST, "/v1/orders", &[JSON], body),
    )
    .await;
    assert_eq!(answer.problem(), (408, "request_timeout".to_owned()));
    assert_eq!(answer.header("connection"), "close");
}
