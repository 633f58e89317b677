//! Orders name read models and reactors that the database has, whichever builds keep them.

use serde_json::{Value, json};
use tidemark_tests::App;
use uuid::Uuid;

/// An order of each kind about a read model, or a reactor, of this name: its path, its body, and the code with which it is refused.
fn orders(name: &str, position: i64) -> Vec<(&'static str, Value, &'static str)> {
    let rebuild = json!({"read_model": name, "order": "build", "reason": "A test."});
    let row = json!({
        "read_model": name, "row_id": Uuid::nil(), "remedy": "rebuild", "reason": "A test.",
    });
    let repair = |remedy| {
        let mut repair = row.clone();
        repair["remedy"] = json!(remedy);
        repair["position"] = json!(position);
        repair
    };
    let action = json!({
        "reactor": name, "cause_position": position, "target": "close", "reason": "A test.",
    });
    let mut retry = action.clone();
    retry["refusal"] = json!("409 auction_over");
    vec![
        ("/v1/rebuilds", rebuild, "unknown_read_model"),
        ("/v1/repairs", repair("retry"), "unknown_read_model"),
        ("/v1/repairs", repair("skip"), "unknown_read_model"),
        ("/v1/repairs", row, "unknown_read_model"),
        ("/v1/retries", retry, "unknown_reactor"),
        ("/v1/drops", action, "unknown_reactor"),
    ]
}

#[tokio::test]
async fn orders_about_what_nobody_has_are_refused_and_those_about_what_a_newer_build_has_are_not() {
    let app = App::start().await;
    app.user().await;
    let operator = app.service("operator");
    let end = app.database.head().await;
    for (path, body, code) in orders("stream-length", end) {
        let refused = operator.post(path, &body).await;
        refused.problem(422, code);
        let (field, known) = match code {
            "unknown_reactor" => ("/reactor", "auction-timer"),
            _ => ("/read_model", "auction, bid, category"),
        };
        assert_eq!(refused.pointers(), [field], "{path}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(known), "{path}: {detail}");
    }
    assert_eq!(app.database.head().await, end);

    // As a migration and a projector of the next build make them.
    for sql in [
        "insert into generations (read_model, generation, state, fold_version) values ('stream-length', 1, 'serving', 1)",
        "insert into reactors (name) values ('stream-length')",
    ] {
        sqlx::query(sql).execute(&app.database.pool).await.unwrap();
    }
    for (path, body, _) in orders("stream-length", end) {
        operator.post(path, &body).await.ok();
    }
}
