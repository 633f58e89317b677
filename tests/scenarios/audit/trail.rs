//! The audit trail shows all that happened as it is stored, to auditors alone, and records every reading.

mod auction;

use serde_json::{Value, json};
use sqlx::types::Json;
use tidemark_events::Recorded;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::Auction;
use tidemark_tests::{Answer, App, Client};
use uuid::Uuid;

use auction::{AuditedAuction, RESERVE, stored_events};

/// The readings that are on record: the reader and the scope of each.
async fn readings(app: &App) -> Vec<(Uuid, Value)> {
    let rows: Vec<(Uuid, Json<Value>)> = sqlx::query_as(
        "select (data->>'reader_id')::uuid, data->'scope'
           from events
          where type = 'reading.recorded'
          order by position",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(reader, scope)| (reader, scope.0))
        .collect()
}

fn items(page: &Answer) -> &[Value] {
    page.body["items"].as_array().unwrap()
}

fn positions(page: &Answer) -> Vec<i64> {
    items(page)
        .iter()
        .map(|item| item["position"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_stream_is_shown_as_it_is_stored() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    let stored = stored_events(&app, audited.id).await;
    let page = audited.auditor.get(&audited.events()).await.ok();
    assert_eq!(items(&page).len(), stored.len());
    for (shown, stored) in items(&page).iter().zip(&stored) {
        let metadata: Value = serde_json::from_str(&stored.metadata).unwrap();
        let data: Value = serde_json::from_str(&stored.data).unwrap();
        assert_eq!(shown["position"], stored.position);
        assert_eq!(shown["event_id"], json!(stored.event_id));
        assert_eq!(shown["version"], stored.version);
        assert_eq!(shown["type"], stored.event_type);
        assert_eq!(shown["actor"], metadata["actor"]);
        assert_eq!(shown["correlation_id"], metadata["correlation_id"]);
        assert_eq!(shown["causation_id"], metadata["causation_id"]);
        assert_eq!(shown["hash"], stored.hash().to_string());
        assert_eq!((&shown["internal"], &shown["data"]), (&json!(false), &data));
    }
    let actor_of = |event_type| {
        let found = items(&page).iter().find(|item| item["type"] == event_type);
        found.unwrap()["actor"].clone()
    };
    let buyer = format!("user:{}", audited.buyer.id);
    assert_eq!(actor_of("auction.bid_placed"), buyer);
    assert_eq!(actor_of("auction.closed"), "service:auction-timer");
    // The timer closed the auction because it was announced, which is the first event.
    let closed = items(&page).last().unwrap();
    assert_eq!(closed["causation_id"], items(&page)[0]["event_id"]);

    let mut paged = Vec::new();
    let mut path = format!("{}?limit=2", audited.events());
    loop {
        let page = audited.auditor.get(&path).await.ok();
        paged.extend(items(&page).to_vec());
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        path = format!("{}?limit=2&after_version={next}", audited.events());
    }
    assert_eq!(paged, items(&page));
    let nothing = format!("/v1/audit/streams/{}/events", audited.buyer.session_id);
    assert!(audited.auditor.get(&nothing).await.is_ok());
    let nothing = "/v1/audit/streams/00000000-0000-7000-8000-000000000000/events";
    audited.auditor.get(nothing).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_state_as_of_a_version_or_a_moment_is_the_fold_up_to_it() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    let stored = stored_events(&app, audited.id).await;
    let mut row = None;
    for event in &stored {
        let input = Auction::EVENTS.fold_input(event).unwrap().unwrap();
        row = Auction::fold(audited.id, row, &input);
        let path = format!("{}?version={}", audited.state(), event.version);
        let answer = audited.auditor.get(&path).await.ok();
        assert_eq!(answer.body, json!(row), "version {}", event.version);
        // Events with the same time are shown together, so only the last of them can be compared.
        let next = usize::try_from(event.version).unwrap();
        if stored
            .get(next)
            .is_some_and(|next| next.recorded_at == event.recorded_at)
        {
            continue;
        }
        let at = event.recorded_at.to_rfc3339().replace('+', "%2B");
        let answer = audited
            .auditor
            .get(&format!("{}?at={at}", audited.state()))
            .await;
        assert_eq!(answer.ok().body, json!(row), "at {at}");
    }
    let now = audited.auditor.get(&audited.state()).await.ok();
    assert_eq!(now.body, json!(row));
    let path = format!("/v1/auctions/{}", audited.id);
    assert_eq!(app.client.get(&path).await.ok().body, now.body);
    let before = format!("{}?at=2020-01-01T00:00:00Z", audited.state());
    audited.auditor.get(&before).await.problem(404, "not_found");
    let both = format!("{}?version=1&at=2020-01-01T00:00:00Z", audited.state());
    assert_eq!(audited.auditor.get(&both).await.status, 422);
}

#[tokio::test]
async fn the_log_is_searched_by_type_aggregate_actor_and_time() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    app.settle().await;
    let since: Recorded = stored_events(&app, audited.id).await.remove(0);
    let since = since.recorded_at.to_rfc3339().replace('+', "%2B");
    let buyer = format!("user:{}", audited.buyer.id);
    for (query, condition) in [
        ("", "true"),
        ("type=auction.bid_placed", "type = 'auction.bid_placed'"),
        ("aggregate=product", "aggregate = 'product'"),
        (
            &format!("actor={buyer}"),
            &format!("metadata->>'actor' = '{buyer}'"),
        ),
        ("actor=anonymous", "metadata->>'actor' = 'anonymous'"),
        (
            &format!("from={since}"),
            "recorded_at >= (select min(recorded_at) from events where type = 'auction.scheduled')",
        ),
        (
            &format!("until={since}"),
            "recorded_at < (select min(recorded_at) from events where type = 'auction.scheduled')",
        ),
        (
            &format!("aggregate=auction&actor={buyer}&from={since}&type=auction.extended"),
            "type = 'auction.extended'",
        ),
        ("after_position=7", "position > 7"),
    ] {
        let select = format!(
            "select position from events where aggregate <> 'reading' and ({condition}) order by position"
        );
        let expected: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(select))
            .fetch_all(&app.database.pool)
            .await
            .unwrap();
        assert!(!expected.is_empty(), "{query} finds nothing");
        let page = audited
            .auditor
            .get(&format!("/v1/audit/events?limit=100&{query}"))
            .await
            .ok();
        assert_eq!(positions(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn each_page_read_is_on_record_once_and_hidden_unless_asked_for() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    let auditor = &audited.auditor;
    let first = auditor
        .get(&format!("{}?limit=2", audited.events()))
        .await
        .ok();
    let next = first.body["next"].as_str().unwrap();
    let path = format!("{}?limit=2&after_version={next}", audited.events());
    auditor.get(&path).await.ok();
    auditor
        .get(&format!("{}?version=2", audited.state()))
        .await
        .ok();
    auditor.get("/v1/audit/events?aggregate=auction").await.ok();
    // A refused request shows nothing, so it is no reading.
    auditor
        .get(&format!("{}?limit=0", audited.events()))
        .await
        .any_problem();
    let id = audited.id;
    let expected = [
        json!({"kind": "stream", "stream_id": id, "after_version": 0}),
        json!({"kind": "stream", "stream_id": id, "after_version": 2}),
        json!({"kind": "state", "stream_id": id, "version": 2, "at": null}),
        json!({"kind": "log", "after_position": 0, "event_type": null, "aggregate": "auction",
               "actor": null, "from": null, "until": null}),
    ];
    let expected: Vec<_> = expected.into_iter().map(|it| (auditor.id, it)).collect();
    assert_eq!(readings(&app).await, expected);

    app.settle().await;
    let hidden = auditor.get("/v1/audit/events?limit=100").await.ok();
    assert!(
        items(&hidden)
            .iter()
            .all(|item| item["aggregate"] != "reading")
    );
    app.settle().await;
    let shown = "/v1/audit/events?limit=100&readings=true&aggregate=reading";
    let shown = auditor.get(shown).await.ok();
    assert_eq!(items(&shown).len(), 5, "these and the one that hid them");
    assert!(
        items(&shown)
            .iter()
            .all(|item| item["actor"] == "service:query-api")
    );
}

#[tokio::test]
async fn the_payload_of_internal_events_is_not_shown() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    app.settle().await;
    for aggregate in ["reserve", "credential", "session"] {
        let path = format!("/v1/audit/events?limit=100&aggregate={aggregate}");
        let page = audited.auditor.get(&path).await.ok();
        assert!(!items(&page).is_empty(), "{aggregate}");
        for item in items(&page) {
            assert_eq!(
                (&item["internal"], &item["data"]),
                (&json!(true), &Value::Null)
            );
            let stream = format!(
                "/v1/audit/streams/{}/events",
                item["stream_id"].as_str().unwrap()
            );
            let stream = audited.auditor.get(&stream).await.ok();
            assert!(items(&stream).iter().all(|item| item["data"].is_null()));
            assert!(!stream.text.contains(&RESERVE.to_string()));
        }
        assert!(!page.text.contains(&RESERVE.to_string()), "{page:?}");
    }
}

#[tokio::test]
async fn nobody_but_auditors_reads_history() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    let head = app.database.head().await;
    let operator = app.user_with("operator").await;
    let paths = [
        audited.events(),
        audited.state(),
        "/v1/audit/events".to_owned(),
    ];
    let before = app.database.head().await;
    assert!(before > head);
    let others: [&Client; 3] = [&audited.buyer, app.admin().await, &operator];
    for path in &paths {
        app.client.get(path).await.problem(401, "unauthenticated");
        for other in others {
            other.get(path).await.problem(403, "role_required");
        }
        let service = app.service("query-api").get(path).await;
        assert_eq!(service.status, 403, "{service:?}");
    }
    // The access token still names the role, but the log says that it was revoked.
    let path = format!("/v1/users/{}/roles/auditor", audited.auditor.id);
    app.admin().await.delete(&path).await.ok();
    for path in &paths {
        audited
            .auditor
            .get(path)
            .await
            .problem(403, "role_required");
    }
    assert_eq!(readings(&app).await, []);
}

#[tokio::test]
async fn a_reading_that_cannot_be_recorded_shows_nothing() {
    let mut app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    app.settle().await;
    let paths = [
        audited.events(),
        audited.state(),
        "/v1/audit/events".to_owned(),
    ];
    app.stop_command_api().await;
    for path in &paths {
        let answer = audited.auditor.get(path).await;
        answer.problem(503, "not_recorded");
        assert!(!answer.text.contains("auction."), "{answer:?}");
        assert!(!answer.header("retry-after").is_empty());
    }
    app.start_command_api().await;
    for path in &paths {
        audited.auditor.get(path).await.ok();
    }
    assert_eq!(readings(&app).await.len(), paths.len());
}
