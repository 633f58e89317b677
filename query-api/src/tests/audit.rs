//! The audit trail: who may read it, what it shows, and that a reading is recorded before it is
//! answered.

use std::sync::atomic::Ordering;

use serde_json::json;
use tidemark_events::samples::{AUCTION, RESERVE};
use tidemark_read_models::audit::history;
use tidemark_read_models::audit::history::History;
use uuid::Uuid;

use super::harness::{Api, Database, FakeCommandApi, auction_events, recorded};

/// A log that holds the events of the sample auction, whose positions and versions begin at 1.
async fn with_history(test: &str) -> (Database, FakeCommandApi, Api) {
    let database = Database::new(test).await;
    let mut position = 0;
    for event in auction_events() {
        position += 1;
        database.append(position, AUCTION.0, &event).await;
        let recorded = recorded(position, AUCTION.0, &event);
        let row = history::Row {
            position,
            stream_id: AUCTION.0,
            version: position,
            aggregate: recorded.aggregate,
            event_type: recorded.event_type,
            actor: Some("service:test".to_owned()),
            correlation_id: None,
            recorded_at: recorded.recorded_at,
        };
        database
            .write::<History>(recorded.event_id, position, &row)
            .await;
    }
    let command_api = FakeCommandApi::start().await;
    let settings = [("TIDEMARK_COMMAND_API__URL", &*command_api.url)];
    let api = Api::start(&database, &settings).await;
    (database, command_api, api)
}

/// An event that is left out because its shard is behind would not be shown by a later page either.
#[tokio::test]
async fn the_log_is_shown_up_to_the_position_that_all_shards_have_applied() {
    let (database, _command_api, api) = with_history("audit_shards").await;
    database.divide::<History>(2).await;
    let head = i64::try_from(auction_events().len()).unwrap();
    database.set_shard_checkpoint::<History>(0, head).await;
    database.set_shard_checkpoint::<History>(1, 2).await;
    database
        .execute("delete from history_rows where position % 2 = 1 and position > 2")
        .await;
    let auditor = api.authorization(7, "auditor");
    let answer = api
        .get("/audit/events", &[("authorization", &auditor)])
        .await;
    assert_eq!(answer.column("position"), [1, 2]);
    assert_eq!(answer.tidemark, "1.2");
}

/// The path of the sample auction's events.
fn stream_path() -> String {
    format!("/audit/streams/{AUCTION}/events")
}

#[tokio::test]
async fn only_auditors_may_read_history() {
    let (_database, command_api, api) = with_history("auditors").await;
    assert_eq!(
        api.get(&stream_path(), &[]).await.problem(),
        (401, "unauthenticated")
    );
    let seller = api.authorization(7, "seller");
    for path in [
        stream_path(),
        format!("/audit/auctions/{AUCTION}/state"),
        "/audit/events".to_owned(),
    ] {
        let answer = api.get(&path, &[("authorization", &seller)]).await;
        assert_eq!(answer.problem(), (403, "role_required"), "{path}");
    }
    assert!(command_api.readings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_page_is_recorded_first_or_not_shown() {
    let (_database, command_api, api) = with_history("record").await;
    let auditor = api.authorization(7, "auditor");
    let ask = async |path: &str| api.get(path, &[("authorization", &auditor)]).await;

    let page = ask(&format!("{}?after_version=1&limit=2", stream_path())).await;
    assert_eq!(
        page.column("type"),
        ["auction.opened", "auction.bid_placed"]
    );
    assert_eq!(page.body["next"], "3");
    let scope = json!({"kind": "stream", "stream_id": AUCTION, "after_version": 1});
    let reading =
        json!({"reader_id": Uuid::from_u128(7), "session_id": Uuid::from_u128(1), "scope": scope});
    assert_eq!(*command_api.readings.lock().unwrap(), [reading]);

    for (status, problem) in [(500, (503, "not_recorded")), (403, (403, "role_required"))] {
        command_api.status.store(status, Ordering::Relaxed);
        assert_eq!(ask(&stream_path()).await.problem(), problem);
    }
}

#[tokio::test]
async fn a_refused_reading_is_not_recorded() {
    let (_database, command_api, api) = with_history("missing").await;
    let auditor = api.authorization(7, "auditor");
    for (path, problem) in [
        (
            format!("/audit/streams/{RESERVE}/events"),
            (404, "not_found"),
        ),
        (
            format!("/audit/auctions/{RESERVE}/state"),
            (404, "not_found"),
        ),
        (
            format!("/audit/auctions/{AUCTION}/state?version=0"),
            (422, "invalid"),
        ),
        (
            format!("{}?after_version=-1", stream_path()),
            (422, "invalid"),
        ),
        ("/audit/events?limit=0".to_owned(), (422, "invalid")),
        ("/audit/events?order=desc".to_owned(), (422, "invalid")),
    ] {
        let answer = api.get(&path, &[("authorization", &auditor)]).await;
        assert_eq!(answer.problem(), problem, "{path}");
    }
    assert!(command_api.readings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_beyond_the_end_of_the_log_or_of_a_stream_is_refused() {
    let (_database, command_api, api) = with_history("future").await;
    let auditor = api.authorization(7, "auditor");
    let ask = async |path: &str| api.get(path, &[("authorization", &auditor)]).await;
    let state = format!("/audit/auctions/{AUCTION}/state?version=");
    let end = auction_events().len();
    for (path, code) in [
        ("/audit/events?after_position=", "future_position"),
        (
            &format!("{}?after_version=", stream_path()),
            "future_version",
        ),
        (&state, "future_version"),
    ] {
        for future in [(end + 1).to_string(), i64::MAX.to_string()] {
            let answer = ask(&format!("{path}{future}")).await;
            assert_eq!(answer.problem(), (400, code), "{path}{future}");
        }
    }
    assert!(command_api.readings.lock().unwrap().is_empty());
    for path in [
        format!("/audit/events?after_position={end}"),
        format!("{}?after_version={end}", stream_path()),
        format!("{state}{end}"),
    ] {
        assert_eq!(ask(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_moment_that_has_not_come_is_refused() {
    let (_database, command_api, api) = with_history("future_moment").await;
    let auditor = api.authorization(7, "auditor");
    let path = format!("/audit/auctions/{AUCTION}/state?at=2999-12-31T23:59:59Z");
    let answer = api.get(&path, &[("authorization", &auditor)]).await;
    assert_eq!(answer.problem(), (400, "future_moment"));
    assert!(command_api.readings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_filter_that_no_event_can_match_is_refused() {
    let (_database, command_api, api) = with_history("impossible").await;
    let auditor = api.authorization(7, "auditor");
    for (filter, parameter) in [
        ("type=tidemark.auction.bid_placed", "type"),
        ("type=auction.nope", "type"),
        ("aggregate=nope", "aggregate"),
        ("actor=auction-timer", "actor"),
        ("actor=user:seven", "actor"),
        (
            "from=2027-01-02T00:00:00Z&until=2027-01-01T00:00:00Z",
            "until",
        ),
        ("type=auction.opened&aggregate=product", "aggregate"),
        ("aggregate=reading&readings=false", "readings"),
        ("type=reading.recorded&readings=false", "readings"),
    ] {
        let path = format!("/audit/events?{filter}");
        let answer = api.get(&path, &[("authorization", &auditor)]).await;
        assert_eq!(answer.problem(), (422, "invalid"), "{filter}");
        assert_eq!(answer.body["errors"][0]["parameter"], parameter, "{filter}");
    }
    for (filter, known) in [
        ("type=auction.nope", "auction.bid_placed"),
        ("type=nope", "auction"),
        ("aggregate=nope", "auction"),
    ] {
        let path = format!("/audit/events?{filter}");
        let answer = api.get(&path, &[("authorization", &auditor)]).await;
        let detail = answer.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(known), "{filter}: {detail}");
    }
    assert!(command_api.readings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_auction_is_shown_as_it_was_at_a_version_or_a_moment() {
    let (_database, _command_api, api) = with_history("states").await;
    let auditor = api.authorization(7, "auditor");
    let state = async |as_of: &str| {
        let path = format!("/audit/auctions/{AUCTION}/state?{as_of}");
        let answer = api.get(&path, &[("authorization", &auditor)]).await;
        (
            answer.status,
            answer.body["status"].clone(),
            answer.body["version"].clone(),
        )
    };
    assert_eq!(
        state("version=1").await,
        (200, json!("scheduled"), json!(1))
    );
    assert_eq!(state("version=2").await, (200, json!("open"), json!(2)));
    assert_eq!(state("at=2026-01-01T00:00:00Z").await.0, 404);
    assert_eq!(state("").await, (200, json!("cancelled"), json!(7)));
}

#[tokio::test]
async fn the_log_is_filtered() {
    let (_database, _command_api, api) = with_history("log").await;
    let auditor = api.authorization(7, "auditor");
    let positions = async |filter: &str| {
        let path = format!("/audit/events?{filter}");
        let answer = api.get(&path, &[("authorization", &auditor)]).await;
        let positions = answer.column("position");
        positions
            .iter()
            .map(|it| it.as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(positions("").await, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(positions("after_position=5").await, [6, 7]);
    assert_eq!(positions("type=auction.bid_placed").await, [3]);
    assert_eq!(positions("aggregate=product").await, [0; 0]);
    assert_eq!(positions("actor=service:test&limit=2").await, [1, 2]);
    let interval = "from=2027-01-01T00:00:02Z&until=2027-01-01T00:00:04Z";
    assert_eq!(positions(interval).await, [2, 3]);
}

#[tokio::test]
async fn every_form_of_the_id_of_a_user_finds_what_the_user_did() {
    let (database, _command_api, api) = with_history("log_actor").await;
    let auditor = api.authorization(7, "auditor");
    let user = Uuid::from_u128(0x00ab_cdef);
    database
        .execute(format!(
            r#"update history_rows set doc = jsonb_set(doc::jsonb, '{{actor}}', '"user:{user}"')::json
                where position = 3"#
        ))
        .await;
    for form in [
        user.to_string(),
        user.to_string().to_uppercase(),
        user.simple().to_string(),
        user.urn().to_string(),
        format!("%7B{user}%7D"),
    ] {
        let path = format!("/audit/events?actor=user:{form}");
        let answer = api.get(&path, &[("authorization", &auditor)]).await;
        assert_eq!(answer.status, 200, "{form}: {answer:?}");
        assert_eq!(answer.column("position"), [3], "{form}");
    }
}

#[tokio::test]
async fn a_page_of_the_log_ends_where_enough_was_examined() {
    let (database, command_api, _) = with_history("log_cut").await;
    let settings = [
        ("TIDEMARK_COMMAND_API__URL", &*command_api.url),
        ("TIDEMARK_QUERY__EXAMINED_ROWS_MAX", "2"),
    ];
    let api = Api::start(&database, &settings).await;
    let auditor = api.authorization(7, "auditor");
    let mut pages = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let filter = "actor=service:test&type=auction.bid_placed";
        let path = format!("/audit/events?{filter}&after_position={after}");
        let page = api.get(&path, &[("authorization", &auditor)]).await;
        let positions = page.column("position").into_iter();
        pages.push(positions.map(|it| it.as_i64().unwrap()).collect::<Vec<_>>());
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        after = next.to_owned();
    }
    assert_eq!(pages, [vec![], vec![3], vec![], vec![]]);
}

#[tokio::test]
async fn times_that_clients_may_not_state_are_refused() {
    let (_database, _command_api, api) = with_history("times").await;
    let auditor = api.authorization(7, "auditor");
    for time in [
        "2027-06-30T23:59:60Z",
        "2027-01-01T00:00:00%2B0000",
        "2027-01-01T00:00:00%20UTC",
        "2027-1-1T00:00:00Z",
        "1969-12-31T23:59:59Z",
    ] {
        for (path, parameter) in [
            (format!("/audit/auctions/{AUCTION}/state?at={time}"), "at"),
            (format!("/audit/events?from={time}"), "from"),
            (format!("/audit/events?until={time}"), "until"),
        ] {
            let answer = api.get(&path, &[("authorization", &auditor)]).await;
            assert_eq!(answer.status, 422, "{path}");
            assert_eq!(answer.body["errors"][0]["parameter"], parameter, "{path}");
        }
    }
}
