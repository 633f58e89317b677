//! The audit trail shows all that happened as it is stored, except for the data of internal events and what it
//! could be computed from.

use serde_json::{Value, json};
use tidemark_events::Recorded;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::Auction;
use tidemark_tests::{Answer, App};

use super::audited_auction::{AuditedAuction, RESERVE, stored_events};

pub(super) fn items(page: &Answer) -> &[Value] {
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
    // The timer closed the auction because it was scheduled, which is the first event.
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
async fn nothing_is_shown_that_the_payload_of_internal_events_follows_from() {
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
            let id = item["stream_id"].as_str().unwrap();
            let hashes = stored_events(&app, id.parse().unwrap()).await;
            let hashes: Vec<_> = hashes.iter().map(|it| it.hash().to_string()).collect();
            let stream = format!("/v1/audit/streams/{id}/events");
            let stream = audited.auditor.get(&stream).await.ok();
            assert!(items(&stream).iter().all(|item| item["data"].is_null()));
            assert!(!stream.text.contains(&RESERVE.to_string()));
            for hash in &hashes {
                assert!(!stream.text.contains(hash) && !page.text.contains(hash));
            }
        }
        assert!(!page.text.contains(&RESERVE.to_string()), "{page:?}");
    }
}
