//! What holds of the descriptions of both APIs. That they describe every answer is checked with every request
//! that a scenario sends.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tidemark_platform::Config;
use tidemark_tests::client::is_sentence;
use tidemark_tests::{Answer, App};

/// Both descriptions, each with the name of its API.
pub(super) fn apis() -> [(&'static str, Value); 2] {
    let [command, query] = tidemark_tests::apis();
    [("command-api", command), ("query-api", query)]
}

/// The operations of an API, each with its method and its path.
pub(super) fn operations(api: &Value) -> Vec<(String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((format!("{method} {path}"), operation));
        }
    }
    operations
}

/// Calls `check` with everything within a value, and where it is.
pub(super) fn walk(value: &Value, place: &str, check: &mut impl FnMut(&str, &Value)) {
    check(place, value);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &format!("{place}/{name}"), check);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{index}"), check);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(super) fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.map(|it| it.as_str().unwrap()).collect()
}

/// The names of the parameters of an operation.
pub(super) fn parameters<'a>(api: &'a Value, operation: &'a Value) -> BTreeSet<&'a str> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters
        .map(|parameter| resolve(api, parameter)["name"].as_str().unwrap())
        .collect()
}

pub(super) fn resolve<'a>(api: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => api.pointer(&reference[1..]).unwrap(),
        None => value,
    }
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    for (name, api) in apis() {
        let mut ids = BTreeSet::new();
        for (place, operation) in operations(&api) {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let has_words = id.contains('_') || id == "register";
            assert!(has_words, "{name}: {place}: {id} says too little");
            assert!(ids.insert(id), "{name}: {place}: another has this id");
        }
    }
}

#[test]
fn every_operation_parameter_and_answer_is_described() {
    for (name, api) in apis() {
        let tags = api["tags"].as_array().unwrap();
        let described: BTreeSet<_> = tags
            .iter()
            .filter(|tag| tag["description"].is_string())
            .map(|tag| tag["name"].as_str().unwrap())
            .collect();
        for (place, operation) in operations(&api) {
            let place = format!("{name}: {place}");
            assert!(operation["summary"].is_string(), "{place}");
            for tag in names(&operation["tags"]) {
                assert!(described.contains(tag), "{place}: {tag}");
            }
            assert!(
                !operation["security"].as_array().unwrap().is_empty(),
                "{place}"
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let text = &resolve(&api, parameter)["description"];
                assert!(text.is_string(), "{place}: {parameter}");
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let text = answer["description"].as_str().unwrap();
                assert!(!text.is_empty(), "{place}: {status}");
                let id = &answer["headers"]["X-Correlation-Id"];
                assert!(id.is_object(), "{place}: {status}");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for (name, api) in apis() {
        walk(&api, "", &mut |place, value| {
            if let Some(reference) = value["$ref"].as_str() {
                let found = api.pointer(reference.strip_prefix('#').unwrap());
                assert!(found.is_some(), "{name}: {place}: {reference}");
            }
        });
    }
}

#[test]
fn every_operation_lists_the_headers_that_it_takes() {
    let [(_, command), (_, query)] = apis();
    for (place, operation) in operations(&command) {
        let found = parameters(&command, operation);
        let is_command = !place.starts_with("get ");
        // Their answers hold secrets, or each attempt counts.
        let takes_none = ["/v1/sessions", "/refresh", "/links", "/verify"]
            .iter()
            .any(|end| place.ends_with(end));
        let goes_on = place.starts_with("patch ");
        let has_key = found.contains("Idempotency-Key");
        assert_eq!(has_key, is_command && !takes_none && !goes_on, "{place}");
    }
    for (place, operation) in operations(&query) {
        let found = parameters(&query, operation);
        assert_eq!(
            found.contains("Tidemark"),
            !place.contains("problems"),
            "{place}"
        );
        assert_eq!(
            found.contains("Last-Event-ID"),
            place.ends_with("/live"),
            "{place}"
        );
    }
    for (name, api) in apis() {
        for (place, operation) in operations(&api) {
            let place = format!("{name}: {place}");
            let found = parameters(&api, operation);
            let answers = &operation["responses"];
            let is_picture = answers["200"]["content"]["image/png"].is_object();
            let is_document =
                place.contains(": get ") && (has_one_document(operation) || is_picture);
            // Whatever is read is at a version or at none, and what is made with a key is at 0 before.
            let is_made = found.contains("Idempotency-Key");
            let may_have_version = place.contains(": get ") || place.contains('{') || is_made;
            assert_eq!(found.contains("If-Match"), may_have_version, "{place}");
            assert_eq!(answers["412"].is_object(), may_have_version, "{place}");
            assert_eq!(found.contains("If-None-Match"), is_document, "{place}");
            assert_eq!(answers["304"].is_object(), is_document, "{place}");
            let is_tagged = answers["200"]["headers"]["ETag"].is_object();
            assert!(is_tagged || !is_document, "{place}");
            for header in ["Range", "If-Range"] {
                assert_eq!(found.contains(header), is_picture, "{place}: {header}");
            }
            for (status, header) in [
                ("200", "Accept-Ranges"),
                ("206", "Accept-Ranges"),
                ("200", "Content-Disposition"),
                ("206", "Content-Disposition"),
                ("206", "Content-Range"),
                ("416", "Content-Range"),
            ] {
                let is_said = answers[status]["headers"][header].is_object();
                assert_eq!(is_said, is_picture, "{place}: {status}: {header}");
            }
            let is_by_address = place.ends_with("/deliveries") || place.ends_with("/suppressions");
            assert_eq!(found.contains("Email-Address"), is_by_address, "{place}");
        }
    }
    let bid = parameters(
        &command,
        &command["paths"]["/v1/auctions/{id}/bids"]["post"],
    );
    let expected = [
        "Idempotency-Key",
        "If-Match",
        "X-Correlation-Id",
        "id",
        "traceparent",
    ];
    assert_eq!(bid, expected.into());
    let list = parameters(&query, &query["paths"]["/v1/auctions"]["get"]);
    assert!(
        list.is_superset(&["cursor", "limit", "sort", "q"].into()),
        "{list:?}"
    );
}

/// Whether a query answers one document: neither a page, nor a stream of updates.
pub(super) fn has_one_document(operation: &Value) -> bool {
    let content = &operation["responses"]["200"]["content"];
    let schema = content["application/json"]["schema"]["$ref"].as_str();
    let is_page = schema.is_some_and(|name| name.ends_with("Page"));
    content["application/json"].is_object() && !is_page
}

/// The codes that an operation lists with a status.
fn codes<'a>(api: &'a Value, path: &str, status: &str) -> Vec<&'a String> {
    let answer = &api["paths"][path]["post"]["responses"][status];
    let examples = &answer["content"]["application/problem+json"]["examples"];
    examples.as_object().unwrap().keys().collect()
}

#[test]
fn an_operation_lists_the_codes_of_its_problems() {
    let [(_, command), _] = apis();
    let bids = "/v1/auctions/{id}/bids";
    let conflicts = [
        "auction_not_open",
        "auction_over",
        "bid_too_low",
        "no_higher_bid",
        "own_auction",
        "wrong_currency",
    ];
    assert_eq!(codes(&command, bids, "409"), conflicts);
    assert_eq!(codes(&command, bids, "404"), ["auction_not_found"]);
    assert_eq!(
        codes(&command, "/v1/sessions", "401"),
        ["invalid_credentials", "invalid_token", "unauthenticated"]
    );
    for (name, api) in apis() {
        for (code, example) in api["components"]["examples"].as_object().unwrap() {
            assert_eq!(example["value"]["code"], **code, "{name}");
        }
    }
}

#[test]
fn a_code_has_one_status_at_both_apis() {
    let mut known = BTreeMap::new();
    for (name, api) in apis() {
        for (place, operation) in operations(&api) {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let examples = &answer["content"]["application/problem+json"]["examples"];
                for code in examples
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(code, _)| code)
                {
                    let first = known.entry(code.clone()).or_insert(status.clone());
                    assert_eq!(first, status, "{name}: {place}: {code}");
                }
            }
        }
    }
}

#[test]
fn a_page_has_the_bounds_of_the_settings() {
    let [_, (_, query)] = apis();
    let settings = Config::from_vars([]).unwrap().query;
    for (place, operation) in operations(&query) {
        let listed = operation["parameters"].as_array().into_iter().flatten();
        for limit in listed.filter(|it| it["name"] == "limit") {
            let bounds = ["minimum", "maximum", "default"].map(|it| &limit["schema"][it]);
            let expected = [1, settings.page_max, settings.page_default];
            assert_eq!(bounds, expected.map(Value::from).each_ref(), "{place}");
        }
    }
}

#[test]
fn what_only_services_may_do_stands_apart() {
    for (name, api) in apis() {
        for (place, operation) in operations(&api) {
            let service = serde_json::json!([{ "service": [] }]);
            let is_apart = names(&operation["tags"]) == ["services"];
            assert_eq!(
                is_apart,
                operation["security"] == service,
                "{name}: {place}"
            );
        }
    }
}

#[tokio::test]
async fn the_type_of_each_problem_leads_to_its_meaning() {
    let app = App::start_all().await;
    let [(_, command), (_, query)] = apis();
    let command_api = |path: &str| app.client.command(Method::GET, path);
    let query_api = |path: &str| app.client.query(path);
    assert_catalogue(&command, command_api).await;
    assert_catalogue(&query, query_api).await;
}

async fn assert_catalogue(api: &Value, request: impl Fn(&str) -> RequestBuilder) {
    for (code, example) in api["components"]["examples"].as_object().unwrap() {
        let path = example["value"]["type"].as_str().unwrap();
        let kind = Answer::to(request(path)).await.ok().body;
        assert_eq!(kind["code"], **code);
        for member in ["meaning", "what_to_do"] {
            let text = kind[member].as_str().unwrap();
            assert!(is_sentence(text), "{member}: {kind}");
        }
        assert_ne!(kind["meaning"], kind["what_to_do"], "{kind}");
    }
    for of_no_operation in ["method_not_allowed", "not_ready", "not_found"] {
        let path = format!("/problems/{of_no_operation}");
        Answer::to(request(&path)).await.ok();
    }
    let unknown = Answer::to(request("/problems/unheard_of")).await;
    unknown.problem(404, "not_found");
}
