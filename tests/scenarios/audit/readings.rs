//! Only auditors read history, and nothing of it is shown unless the reading is on record.

use serde_json::{Value, json};
use sqlx::types::Json;
use tidemark_tests::{App, Client};
use uuid::Uuid;

use super::audited_auction::AuditedAuction;
use super::trail::items;

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
    assert_eq!(
        items(&shown).len(),
        5,
        "the four readings and the search that did not show them"
    );
    assert!(
        items(&shown)
            .iter()
            .all(|item| item["actor"] == "service:query-api")
    );
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
async fn an_auditor_who_logged_out_reads_nothing() {
    let app = App::start_all().await;
    let audited = AuditedAuction::create(&app).await;
    let auditor = &audited.auditor;
    let session = format!("/v1/sessions/{}", auditor.session_id);
    auditor.delete(&session).await.ok();
    for path in [
        audited.events(),
        audited.state(),
        "/v1/audit/events".to_owned(),
    ] {
        auditor.get(&path).await.problem(401, "logged_out");
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
