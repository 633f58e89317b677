//! Operators publish what mails say, and mails that are asked for afterwards say it.

use serde_json::{Value, json};
use tidemark_command_api::ProcessRoles;
use tidemark_tests::{App, MailServer, User};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::mail::{mailing, register};

const TEMPLATES: &str = "/v1/templates";

fn welcome(subject: &str, body: &str) -> Value {
    json!({"channel": "mail", "locale": "en", "category": "welcome", "subject": subject, "body": body})
}

async fn listed(app: &App, operator: &User) -> Value {
    app.settle().await;
    let page = operator.get("/v1/operations/templates").await.ok();
    page.body["items"].clone()
}

/// Registers somebody, and returns the mail that they are sent.
async fn greeted(app: &App, server: &mut MailServer) -> String {
    register(app, "ottilie").await;
    server.received().await.content
}

#[tokio::test]
async fn mails_say_what_was_published_last_and_what_they_say_without_it_once_it_is_retired() {
    let mut server = MailServer::start().await;
    let app = mailing(&server).await;
    let operator = app.user_with("operator").await;
    // The operator and the administrator were greeted, too.
    for _ in 0..2 {
        server.received().await;
    }
    let words = welcome(
        "Good to see you, {{ name }}",
        "Hello {{ name }},\nwell met.",
    );
    let published = operator.post(TEMPLATES, &words).await.ok();
    let mail = greeted(&app, &mut server).await;
    assert!(mail.contains("Subject: Good to see you, Ottilie"), "{mail}");
    assert!(mail.contains("well met."), "{mail}");
    let requested = app.events("message.requested").await;
    let expected = json!({"template_id": published.id(), "version": 1});
    assert_eq!(requested.last().unwrap()["wording"], expected);

    let words = welcome("Welcome once more", "Hello {{ name }}.");
    let again = operator.post(TEMPLATES, &words).await.ok();
    assert_eq!((again.id(), again.version()), (published.id(), 2));
    let mail = greeted(&app, &mut server).await;
    assert!(mail.contains("Subject: Welcome once more"), "{mail}");
    let templates = listed(&app, &operator).await;
    assert_eq!(templates[0]["subject"], "Welcome once more");
    assert_eq!(
        (&templates[0]["version"], &templates[0]["status"]),
        (&json!(2), &json!("published"))
    );

    let path = format!("{TEMPLATES}/{}/retire", published.id());
    operator.post_empty(&path).await.ok();
    let again = operator.post_empty(&path).await;
    again.problem(409, "template_retired");
    let mail = greeted(&app, &mut server).await;
    assert!(mail.contains("Subject: Welcome to Tidemark"), "{mail}");
    assert_eq!(listed(&app, &operator).await[0]["status"], "retired");
}

#[tokio::test]
async fn a_variable_that_mails_do_not_have_is_named_when_the_template_is_published() {
    let app = App::start().await;
    let operator = app.user_with("operator").await;
    let user = app.user().await;
    let head = app.database.head().await;
    for (subject, body, pointer, told) in [
        ("a", "Hello {{ nmae }}", "/body", "`nmae`"),
        ("{{ title }}", "a", "/subject", "`title`"),
        ("a", "{{ name", "/body", "`{{`"),
        ("a", "{% for name in name %}{% endfor %}", "/body", "`for`"),
        ("a", "{{ 'a' * 100000000 }}", "/body", "`'a'`"),
    ] {
        let refused = operator.post(TEMPLATES, &welcome(subject, body)).await;
        refused.problem(422, "template_faulty");
        assert_eq!(refused.pointers(), [pointer]);
        assert!(refused.text.contains(told), "{refused:?}");
        // Whoever may publish none does not learn it.
        let refused = user.post(TEMPLATES, &welcome(subject, body)).await;
        refused.problem(403, "role_required");
    }
    assert_eq!(app.database.head().await, head);
}

/// Else it would be noticed by the first person who registers. The relay of such a process would go on, too.
#[tokio::test]
async fn a_command_api_does_not_start_with_a_language_that_is_none() {
    let app = App::builder().relay().start().await;
    for wrong in ["english", ""] {
        let mut settings = app.settings.clone();
        settings.set("TIDEMARK_MAIL__LOCALE", wrong);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stop = CancellationToken::new();
        let running =
            tidemark_command_api::run(settings.config(), ProcessRoles::ALL, listener, stop);
        let error = running.await.unwrap_err().to_string();
        assert_eq!(
            error,
            "mail.locale must be a language, such as `en` or `pt-BR`"
        );
    }
}
