//! What holds of the schemas in the descriptions of both APIs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use tidemark_events::Aggregate;

use super::description::{apis, names, operations, parameters, resolve, walk};

/// Integers that have no upper bound of their own: counts of what the log holds, which grow as long as it does.
const COUNTS: [&str; 14] = [
    "adopted_until",
    "bid_count",
    "due",
    "epoch",
    "failing",
    "head",
    "lag",
    "next_offset",
    "parked",
    "pending",
    "position",
    "unread",
    "version",
    "waiting",
];
/// Integers whose upper bound is a setting, so that the description does not know it.
const SETTINGS: [&str; 2] = ["Retry-After", "expires_in"];

/// The schemas to which bodies of requests refer, by their names.
fn stated_schemas(api: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let operations = operations(api).into_iter();
    let mut unread: Vec<_> = operations
        .map(|(_, it)| it["requestBody"].clone())
        .collect();
    while let Some(value) = unread.pop() {
        walk(&value, "", &mut |_, value| {
            let name = value["$ref"].as_str().and_then(|it| it.rsplit('/').next());
            if let Some(name) = name
                && found.insert(name.to_owned())
            {
                unread.push(api["components"]["schemas"][name].clone());
            }
        });
    }
    found
}

/// An `EventSource` is known by it, before there is an answer.
#[test]
fn what_answers_events_and_nothing_else_does_ends_with_live() {
    for (name, api) in apis() {
        for (place, operation) in operations(&api) {
            let content = &operation["responses"]["200"]["content"];
            let answers_events = content["text/event-stream"].is_object();
            let is_live = place.ends_with("/live");
            assert_eq!(answers_events, is_live, "{name}: {place}");
        }
    }
}

#[test]
fn every_integer_has_bounds() {
    let mut excepted = BTreeSet::new();
    for (name, api) in apis() {
        let stated = stated_schemas(&api);
        let mut parameter = String::new();
        walk(&api, "", &mut |place, value| {
            // A list of parameters has their names within.
            if value["in"].is_string() {
                value["name"].as_str().unwrap().clone_into(&mut parameter);
            }
            let types = &value["type"];
            if types != "integer" && !names_include(types, "integer") {
                return;
            }
            let owner = place
                .trim_end_matches("/schema")
                .rsplit('/')
                .next()
                .unwrap();
            let is_listed = owner.parse::<usize>().is_ok();
            let owner = if is_listed { &parameter } else { owner };
            assert!(value["minimum"].is_number(), "{name}: {place}: {value}");
            if !value["maximum"].is_number() {
                let is_count = COUNTS.contains(&owner) && !is_stated(&stated, place);
                let is_excepted = is_count || SETTINGS.contains(&owner);
                assert!(is_excepted, "{name}: {place}: {value}");
                excepted.insert(owner.to_owned());
            }
        });
    }
    assert_eq!(excepted.len(), COUNTS.len() + SETTINGS.len());
}

/// Whether a client states what the description has at this place.
fn is_stated(stated: &BTreeSet<String>, place: &str) -> bool {
    let schema = place.strip_prefix("/components/schemas/");
    let schema = schema.and_then(|rest| rest.split('/').next());
    place.contains("/parameters/") || schema.is_some_and(|it| stated.contains(it))
}

#[test]
fn every_field_has_a_description() {
    for (name, api) in apis() {
        walk(&api, "", &mut |place, value| {
            for (field, schema) in value["properties"].as_object().into_iter().flatten() {
                // A field that may be null says in the other alternative what it is.
                let schema = schema["oneOf"].get(0).unwrap_or(schema);
                let text = &schema["description"];
                let is_tag = schema["enum"].as_array().is_some_and(|it| it.len() == 1);
                assert!(text.is_string() || is_tag, "{name}: {place}: {field}");
            }
        });
    }
}

fn names_include(types: &Value, name: &str) -> bool {
    types
        .as_array()
        .is_some_and(|types| types.iter().any(|it| it == name))
}

/// Every list, by the id of its operation, and what its items are.
const LISTS: [(&str, &str); 24] = [
    ("list_actions", "GivenUpAction"),
    ("list_auctions", "Auction"),
    ("list_bids", "Bid"),
    ("list_categories", "Category"),
    ("list_deliveries", "Delivery"),
    ("list_events", "HistoryEvent"),
    ("list_events_of_stream", "HistoryEvent"),
    ("list_media", "Media"),
    ("list_my_auctions", "Auction"),
    ("list_my_bids", "Bid"),
    ("list_my_notifications", "Notification"),
    ("list_my_task_runs", "TaskRun"),
    ("list_my_watches", "Watch"),
    ("list_parked_rows", "ParkedRow"),
    ("list_products", "Product"),
    ("list_reactors", "ReactorStatus"),
    ("list_read_models", "ShardStatus"),
    ("list_suppressions", "Suppression"),
    ("list_task_health", "TaskHealth"),
    ("list_task_runs", "TaskRun"),
    ("list_tasks", "Task"),
    ("list_templates", "Template"),
    ("list_timelines", "Timeline"),
    ("list_won_auctions", "Auction"),
];

#[test]
fn each_list_has_the_page_of_its_kind_of_item() {
    let [_, (_, api)] = apis();
    let mut lists = BTreeMap::new();
    let mut pages = BTreeMap::new();
    for (place, operation) in operations(&api) {
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let page = schema["$ref"].as_str().filter(|it| it.ends_with("Page"));
        let is_list = parameters(&api, operation).contains("limit");
        assert_eq!(page.is_some(), is_list, "{place}: {schema}");
        let Some(page) = page else { continue };
        let items = &resolve(&api, schema)["properties"]["items"]["items"];
        let item = items["$ref"].as_str().unwrap_or_default();
        let item = item.rsplit('/').next().unwrap();
        lists.insert(operation["operationId"].as_str().unwrap(), item);
        let other = pages.insert(item, page);
        assert!(other.is_none_or(|other| other == page), "{place}: {item}");
    }
    assert_eq!(lists, LISTS.into());
}

#[test]
fn what_has_few_values_is_an_enum() {
    let [(_, command), (_, query)] = apis();
    let of = |api: &Value, name: &str| {
        let schema = &api["components"]["schemas"][name]["enum"];
        names(schema)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let roles = ["buyer", "seller", "admin", "auditor", "operator"];
    let conditions = ["new", "like_new", "good", "fair", "for_parts"];
    for api in [&command, &query] {
        assert_eq!(of(api, "Role"), roles);
        assert_eq!(of(api, "Condition"), conditions);
        let currencies = of(api, "Currency");
        assert!(currencies.contains(&"EUR".to_owned()) && !currencies.contains(&"XXX".to_owned()));
    }
    assert_eq!(
        of(&query, "AuctionResult"),
        ["sold", "unsold", "reserve_not_met"]
    );
    let states = ["building", "ready", "serving", "kept"];
    assert_eq!(of(&query, "GenerationState"), states);
    assert_eq!(of(&query, "ParkedKind"), ["row", "stream"]);
    assert_eq!(of(&command, "TokenType"), ["Bearer"]);
    for (schema, field, named) in [
        (&query, "ShardStatus", "state", "GenerationState"),
        (&query, "ParkedRow", "kind", "ParkedKind"),
        (&command, "Tokens", "token_type", "TokenType"),
    ]
    .map(|(api, schema, field, named)| (&api["components"]["schemas"][schema], field, named))
    {
        let field = &schema["properties"][field];
        let reference = format!("#/components/schemas/{named}");
        assert!(field.to_string().contains(&reference), "{field}");
    }
    let parameters = query["paths"]["/v1/audit/events"]["get"]["parameters"].as_array();
    let listed = |name: &str| {
        let found = parameters.unwrap().iter().find(|it| it["name"] == name);
        names(&found.unwrap()["schema"]["enum"])
    };
    let aggregates: Vec<_> = Aggregate::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(listed("aggregate"), aggregates);
    assert!(listed("type").contains(&"auction.opened"));
}
