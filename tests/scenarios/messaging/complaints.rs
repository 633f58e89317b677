//! Who complains of a mail gets only those that must be told.

use serde_json::json;
use tidemark_events::MessageId;
use tidemark_tests::{App, Postfix, Process};
use uuid::Uuid;

use super::mail::ready;
use super::suppressions::await_events;

/// How many messages to a user were asked for, and how many of them were not sent, so far.
async fn messages(app: &App, user: Uuid) -> (usize, usize) {
    let to_user = async |event_type: &str| {
        let events = app.events(event_type).await;
        events
            .iter()
            .filter(|it| it["user_id"] == json!(user))
            .count()
    };
    (
        to_user("message.requested").await,
        to_user("message.suppressed").await,
    )
}

#[tokio::test]
async fn a_complaint_stops_all_mails_but_those_that_must_be_told_until_a_release() {
    let app = App::builder().queries().projector().start().await;
    let user = app.user().await;
    let message_id = app.message(user.id).await;
    let server = app.service("mail-server");
    let body = json!({"return_path": app.return_path(MessageId(message_id))});
    server.post("/v1/complaints", &body).await.ok();
    let head = app.database.head().await;
    let again = server.post("/v1/complaints", &body).await;
    again.problem(409, "message_not_out");
    let forged = format!(
        "bounces+{}0123456789abcdef@tidemark.example",
        message_id.simple()
    );
    let forged = json!({"return_path": forged});
    let answer = server.post("/v1/complaints", &forged).await;
    answer.problem(404, "message_not_found");
    assert_eq!(app.database.head().await, head);

    let market = app.market().await;
    let (requested, suppressed) = messages(&app, user.id).await;
    app.message(user.id).await;
    assert_eq!(messages(&app, user.id).await, (requested, suppressed + 1));
    // By this a contract has come about.
    market.notification(user.id).await;
    assert_eq!(
        messages(&app, user.id).await,
        (requested + 1, suppressed + 1)
    );

    app.settle().await;
    let operator = app.user_with("operator").await;
    let listed = "/v1/operations/deliveries?status=complained";
    let listed = operator.get(listed).await.ok().body;
    assert_eq!(listed["items"][0]["id"], json!(message_id));
    let listed = operator.get("/v1/operations/suppressions").await.ok().body;
    let suppression = &listed["items"][0];
    let cause = &suppression["causes"][0];
    assert_eq!(
        (&cause["scope"], &cause["reason"]),
        (&json!("all_but_critical"), &json!("complaint"))
    );
    let id = suppression["id"].as_str().unwrap();
    let release = format!("/v1/contact-points/{id}/release");
    operator.post_empty(&release).await.ok();
    let (requested, suppressed) = messages(&app, user.id).await;
    app.message(user.id).await;
    assert_eq!(messages(&app, user.id).await, (requested + 1, suppressed));
}

/// A report comes to the domain of the return paths, at an address that is none of them, and names the mail that it is about.
#[tokio::test]
async fn a_report_that_a_real_server_takes_is_recorded() {
    let app = ready(App::builder().queries().projector().start().await).await;
    let user = app.user().await;
    let message_id = app.message(user.id).await;
    let postfix = Postfix::start(&app, 1).await;
    let tag = app.return_path(MessageId(message_id));
    let report = report(&tag);
    let to = postfix.return_path.replace("bounces@", "complaints@");
    postfix.take(&to, &report).await;
    let complained = await_events(&app, "message.complained", 1).await;
    let found: Uuid = serde_json::from_value(complained[0]["message_id"].clone()).unwrap();
    assert_eq!(found, message_id, "{}", postfix.log());
}

/// Whoever can send a mail can send such a report. The mail server keeps what is to be given again for days.
#[tokio::test]
async fn a_report_that_names_no_possible_mail_is_not_to_be_given_again() {
    let app = App::start().await;
    let settings = app.settings.as_service("mail-server");
    let arguments = ["bounce", "--", "complaints@tidemark.example"];
    for length in [0, 1, 255, 100_000] {
        let report = report(&"a".repeat(length));
        let tool = Process::operators_tool_given(&settings, &arguments, report.as_bytes()).await;
        let printed = String::from_utf8_lossy(&tool.stdout);
        assert!(tool.status.success(), "{length}: {tool:?}");
        assert!(
            printed.contains("othing was recorded"),
            "{length}: {printed}"
        );
    }
}

/// What a provider writes if somebody presses its button (RFC 5965).
fn report(return_path: &str) -> String {
    format!(
        "From: <feedback@provider.example>\r\n\
         Subject: A complaint\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nThis is a report of abuse.\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: abuse\r\nUser-Agent: Provider/1.0\r\nVersion: 1\r\n\
         Original-Mail-From: <{return_path}>\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n\
         From: <no-reply@tidemark.example>\r\nSubject: Welcome\r\n\r\nHello.\r\n\r\n--b--\r\n"
    )
}
