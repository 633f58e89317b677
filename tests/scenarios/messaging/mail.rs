//! Who registers is sent a mail through a real mail server, and what became of it is in the log.

use serde_json::{Value, json};
use sqlx::Row;
use tidemark_events::MessageId;
use tidemark_tests::app::AppBuilder;
use tidemark_tests::{App, MailServer, Process, ReceivedMail, eventually};
use uuid::Uuid;

use super::suppressions::{await_events, recipient};

/// An application whose mails go to this server.
pub(crate) async fn mailing(server: &MailServer) -> App {
    ready(mailing_to(server).start().await).await
}

/// The parts of such an application.
pub(super) fn mailing_to(server: &MailServer) -> AppBuilder {
    App::builder()
        .set("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1")
        .set("TIDEMARK_MAIL__SMTP_PORT", server.port)
        .set("TIDEMARK_MAIL__TLS", "none")
        .set("TIDEMARK_MAIL__ANSWER_TIMEOUT_MS", 500)
        .set(
            "TIDEMARK_MAIL__FROM",
            "Tidemark <no-reply@tidemark.example>",
        )
        .projector()
        .queries()
}

/// A projector of its own for this application, whose mails go to this server.
pub(super) async fn mailer_to(app: &App, server: &MailServer) -> Process {
    let mut settings = app.settings.clone();
    settings.set("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1");
    settings.set("TIDEMARK_MAIL__SMTP_PORT", server.port.to_string());
    settings.set("TIDEMARK_MAIL__TLS", "none");
    Process::projector(&settings).await
}

/// An application whose reactors have begun to answer what happens.
pub(crate) async fn ready(app: App) -> App {
    reactors_begin(&app).await;
    app
}

/// Waits until the reactors have begun to answer what happens.
pub(crate) async fn reactors_begin(app: &App) {
    eventually("the reactors to begin", || async {
        let sql = "select count(*) from reactors where name in ('notifier', 'auction-notifier', 'digest-timer', 'mailer')";
        let begun: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (begun == 4).then_some(())
    })
    .await;
}

/// Registers somebody whose address begins like this, and returns the address and the name.
pub(crate) async fn register(app: &App, begins: &str) -> (String, String) {
    let mut person = app.person();
    person.email = format!("{begins}-{}", person.email);
    let registered = app.client.post("/v1/users", &person.registration()).await;
    registered.ok();
    (person.email, person.display_name)
}

/// The id of the message that is on record, and how it ended, once it has.
pub(crate) async fn ended(app: &App) -> (Uuid, Value) {
    eventually("the message to end", || async {
        let sql = "select stream_id, data::text from events where type = 'message.ended'";
        let row = sqlx::query(sql)
            .fetch_optional(&app.database.pool)
            .await
            .unwrap()?;
        let data: Value = serde_json::from_str(row.get(1)).unwrap();
        Some((row.get(0), data))
    })
    .await
}

/// The attempts at the mail, and what was told of the last one, once there was one.
async fn tried(app: &App) -> (i32, String) {
    eventually("an attempt to send the mail", || async {
        let sql = "select attempts, outcome from reactor_actions where effect = 'mail' and outcome is not null";
        sqlx::query_as(sql)
            .fetch_optional(&app.database.pool)
            .await
            .unwrap()
    })
    .await
}

#[tokio::test]
async fn who_registers_is_sent_a_mail_and_that_is_on_record() {
    let mut server = MailServer::start().await;
    let app = mailing(&server).await;
    let (email, name) = register(&app, "ottilie").await;
    let mail = server.received().await;
    assert_eq!(mail.from, "no-reply@tidemark.example");
    assert_eq!(mail.to, [email.as_str()]);
    let (message_id, end) = ended(&app).await;
    for line in [
        format!("Message-ID: <{message_id}@tidemark.example>"),
        "Auto-Submitted: auto-generated".to_owned(),
        "Subject: Welcome to Tidemark".to_owned(),
        format!("Hello {name},"),
    ] {
        assert!(
            mail.content.lines().any(|it| it == line),
            "{line}: {}",
            mail.content
        );
    }
    assert_eq!(end["outcome"], "accepted");
    assert_eq!(end["status"], "250 2.0.0");

    let sql = "select data::text || metadata::text from events where aggregate = 'message'
                union all
               select coalesce(body::text, '') from reactor_actions";
    let kept: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    assert!(kept.len() > 2, "{kept:?}");
    let clear = kept
        .iter()
        .find(|it| it.contains(&email) || it.contains(&name));
    assert_eq!(clear, None, "nothing personal is kept in clear");
}

#[tokio::test]
async fn a_server_that_knows_no_such_recipient_ends_the_message() {
    let server = MailServer::start().await;
    let app = mailing(&server).await;
    register(&app, "gone").await;
    let (_, end) = ended(&app).await;
    assert_eq!(end["outcome"], "bounced");
    assert_eq!(end["status"], "550 5.1.1", "the answer names the recipient");
}

#[tokio::test]
async fn a_mail_that_a_server_does_not_take_now_waits_and_says_why() {
    let server = MailServer::start().await;
    let app = mailing(&server).await;
    register(&app, "busy").await;
    let tried = tried(&app).await;
    assert_eq!(
        tried,
        (1, "450 4.2.1".to_owned()),
        "the answer names the recipient"
    );
}

#[tokio::test]
async fn after_the_final_dot_it_is_uncertain_whether_a_silent_server_has_the_mail() {
    for begins in ["silent", "drops"] {
        let mut server = MailServer::start().await;
        let app = mailing(&server).await;
        register(&app, begins).await;
        server.received().await;
        let (_, end) = ended(&app).await;
        assert_eq!(end["outcome"], "uncertain");
    }
}

/// The next mail that is for an address that begins like this.
async fn received_for(server: &mut MailServer, begins: &str) -> ReceivedMail {
    loop {
        let mail = server.received().await;
        if mail.to[0].starts_with(begins) {
            return mail;
        }
    }
}

/// An application whose mails go to this server, and are sent once more after so many seconds.
async fn repeating(server: &MailServer, after_s: u32) -> App {
    let app = mailing_to(server).set("TIDEMARK_MAIL__REPEAT_AFTER_S", after_s);
    ready(app.start().await).await
}

#[tokio::test]
async fn a_mail_that_must_be_told_is_sent_once_more_if_nobody_knows_whether_the_server_has_it() {
    let mut server = MailServer::start().await;
    let app = repeating(&server, 1).await;
    let (user_id, _) = recipient(&app, "lost").await;
    let welcome = received_for(&mut server, "lost").await;
    app.market().await.notification(user_id).await;
    let first = received_for(&mut server, "lost").await;
    let second = received_for(&mut server, "lost").await;
    assert_ne!(first.message_id(), welcome.message_id());
    assert_eq!(first.content, second.content);
    let outcome_of = async |id: Uuid| {
        eventually("the message to end", || async {
            let ended = app.events("message.ended").await;
            let of_id = ended.iter().find(|it| it["message_id"] == json!(id));
            of_id.map(|it| it["outcome"].clone())
        })
        .await
    };
    assert_eq!(outcome_of(welcome.message_id()).await, "uncertain");
    assert_eq!(outcome_of(first.message_id()).await, "accepted");
    let uncertain = app.events("message.uncertain").await;
    assert_eq!(uncertain.len(), 1);
    assert_eq!(uncertain[0]["message_id"], json!(first.message_id()));
}

#[tokio::test]
async fn a_mail_that_has_come_back_meanwhile_is_not_sent_once_more() {
    let mut server = MailServer::start().await;
    let app = repeating(&server, 5).await;
    let (user_id, _) = recipient(&app, "lost").await;
    received_for(&mut server, "lost").await;
    app.market().await.notification(user_id).await;
    let mail = received_for(&mut server, "lost").await;
    await_events(&app, "message.uncertain", 1).await;
    let report = json!({
        "return_path": app.return_path(MessageId(mail.message_id())),
        "status": "5.2.2",
    });
    let bounced = app
        .service("mail-server")
        .post("/v1/bounces", &report)
        .await;
    bounced.ok();
    let tried = eventually("the time to send it again", || async {
        let sql = "select outcome from reactor_actions where effect = 'mail_repeat' and done_at is not null";
        let outcome = sqlx::query_scalar::<_, String>(sql).fetch_optional(&app.database.pool);
        outcome.await.unwrap()
    });
    assert_eq!(tried.await, "done");
    let ended = app.events("message.ended").await;
    assert!(
        ended
            .iter()
            .all(|it| it["message_id"] != json!(mail.message_id()))
    );
}

#[tokio::test]
async fn without_a_mail_server_mails_are_files_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::builder().set("TIDEMARK_MAIL__FOLDER", folder.path().display());
    let app = ready(app.projector().start().await).await;
    let (email, _) = register(&app, "ottilie").await;
    let (message_id, end) = ended(&app).await;
    assert_eq!(end["outcome"], "accepted");
    let file = folder.path().join(format!("{message_id}.eml"));
    let mail = std::fs::read_to_string(file).unwrap();
    assert!(mail.contains(&email), "{mail}");
}

#[tokio::test]
async fn a_mail_to_somebody_who_was_erased_is_not_sent() {
    let app = ready(App::builder().projector().start().await).await;
    // Nothing says where mails go, so they wait.
    register(&app, "ottilie").await;
    app.settle().await;
    sqlx::query("select destroy_subject_keys(subject) from subject_keys")
        .execute(&app.database.pool)
        .await
        .unwrap();
    let server = MailServer::start().await;
    let _mailer = mailer_to(&app, &server).await;
    let (_, end) = ended(&app).await;
    assert_eq!(end["outcome"], "recipient_erased");
}
