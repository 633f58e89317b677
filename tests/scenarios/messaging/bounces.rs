//! What a mail server says by a mail that it could not deliver, after it had taken it, is on record.

use serde_json::{Value, json};
use tidemark_events::MessageId;
use tidemark_tests::{App, MailServer, Postfix, Process};

use super::mail::{ended, ready, register};
use super::suppressions::await_events;

/// Two mail servers: postfix takes the mail, and the one behind it refuses the recipient.
#[tokio::test]
async fn a_mail_that_comes_back_from_a_real_server_bounces_and_suppresses_the_address() {
    let next = MailServer::start().await;
    let app = ready(App::builder().queries().projector().start().await).await;
    let postfix = Postfix::start(&app, next.port).await;
    let mut settings = app.settings.clone();
    settings.set("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1");
    settings.set("TIDEMARK_MAIL__SMTP_PORT", postfix.port.to_string());
    settings.set("TIDEMARK_MAIL__TLS", "none");
    settings.set("TIDEMARK_MAIL__RETURN_PATH", &postfix.return_path);
    settings.set(
        "TIDEMARK_MAIL__FROM",
        "Tidemark <no-reply@tidemark.example>",
    );
    let _mailer = Process::projector_as("effects", &settings).await;
    register(&app, "gone").await;
    let (message_id, end) = ended(&app).await;
    assert_eq!(end["outcome"], "accepted", "{}", postfix.log());
    let bounced = await_events(&app, "message.bounced", 1).await;
    assert_eq!(bounced[0]["message_id"], json!(message_id));
    assert_eq!(bounced[0]["status"], "5.1.1");
    assert_eq!(bounced[0]["via"], "report");
    let suppressed = await_events(&app, "contact_point.suppressed", 1).await;
    assert_eq!(suppressed[0]["reason"], "hard_bounce");
    app.settle().await;
    let operator = app.user_with("operator").await;
    let found = operator
        .get("/v1/operations/deliveries?status=bounced")
        .await;
    assert_eq!(found.ok().body["items"][0]["id"], json!(message_id));
}

/// Nobody but a mail of Tidemark's has the address, and one report of it counts.
#[tokio::test]
async fn a_report_that_is_forged_or_sent_again_changes_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let message_id = app.message(user.id).await;
    let head = app.database.head().await;
    let server = app.service("mail-server");
    let forged = format!(
        "bounces+{}0123456789abcdef@tidemark.example",
        message_id.simple()
    );
    let body = json!({"return_path": forged, "status": "5.1.1"});
    let answer = server.post("/v1/bounces", &body).await;
    answer.problem(404, "message_not_found");
    assert_eq!(app.database.head().await, head);
    let body: Value =
        json!({"return_path": app.return_path(MessageId(message_id)), "status": "5.1.1"});
    // Who was erased has no address any more that the record could name.
    sqlx::query("select destroy_subject_keys(subject) from subject_keys")
        .execute(&app.database.pool)
        .await
        .unwrap();
    server.post("/v1/bounces", &body).await.ok();
    let again = server.post("/v1/bounces", &body).await;
    again.problem(409, "message_not_out");
    assert_eq!(app.database.head().await, head + 2);
}
