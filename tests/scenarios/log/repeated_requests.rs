//! What makes a request under an `Idempotency-Key` the same as one before: the bytes received, whatever a
//! build reads from them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use tidemark_event_store::LookupKey;
use tidemark_tests::{Answer, App, Client};

const KEY: &str = "7d1e-key-of-this-test";
const BODY: &str = r#"{"name": "Charts", "slug": "charts"}"#;

async fn create(admin: &Client, body: &str) -> Answer {
    let request = admin.command(Method::POST, "/v1/categories");
    let request = request.header("content-type", "application/json");
    Answer::to(request.body(body.to_owned())).await
}

#[tokio::test]
async fn a_request_is_repeated_only_by_the_same_bytes() {
    let app = App::start().await;
    let admin = app.admin().await.with_key(KEY);
    let first = create(&admin, BODY).await.ok();
    let head = app.database.head().await;
    for other in [
        r#"{"name":"Charts","slug":"charts"}"#,
        r#"{"slug": "charts", "name": "Charts"}"#,
        r#"{"name": "Charts", "slug": "charts", "sort_order": 0}"#,
        r#"{"name": "Charts", "slug": "charts", "parent_id": null}"#,
    ] {
        let answer = create(&admin, other).await;
        answer.problem(422, "idempotency_key_reused");
    }
    let again = create(&admin, BODY).await.ok();
    assert_eq!((again.text, again.status), (first.text, first.status));
    assert_eq!(app.database.head().await, head);
}

/// If the hash changed, a request that is sent again during a rolling deployment would be refused.
#[tokio::test]
async fn a_record_holds_the_hash_of_the_bytes_received() {
    let app = App::start().await;
    let admin = app.admin().await.with_key(KEY);
    let created = create(&admin, BODY).await.ok();
    let path = format!("/v1/categories/{}/deactivate", created.id());
    let admin = app.admin().await.with_key("7d1e-another-key").if_match(1);
    admin.post_empty(&path).await.ok();

    let lookup_key = STANDARD
        .decode(app.settings.get("TIDEMARK_SEALING__LOOKUP_KEY"))
        .unwrap();
    let lookup_key = LookupKey::new(lookup_key).unwrap();
    let hash = |request: &str| lookup_key.mac("request", request.as_bytes());
    let recorded: Vec<Vec<u8>> =
        sqlx::query_scalar("select request_hash from idempotency_records order by position")
            .fetch_all(&app.database.pool)
            .await
            .unwrap();
    assert_eq!(
        recorded,
        [
            hash(&format!("POST /v1/categories\n\n{BODY}")),
            hash(&format!("POST {path}\n\"1\"\n")),
        ]
    );
}
