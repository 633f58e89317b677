//! Mails that a server refuses because it wants none from here.

use tidemark_tests::{App, MailServer};

use crate::messaging::mail::{ended, ready, register};

#[tokio::test]
async fn mails_that_a_server_refuses_by_its_policy_are_measured_and_say_nothing_of_the_address() {
    let server = MailServer::start().await;
    let app = App::builder()
        .set("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1")
        .set("TIDEMARK_MAIL__SMTP_PORT", server.port)
        .set("TIDEMARK_MAIL__TLS", "none");
    let app = app.start().await;
    let projector = app.spawn_projector().await;
    let app = ready(app).await;
    register(&app, "policy").await;
    let (_, end) = ended(&app).await;
    assert_eq!(end["status"], "554 5.7.1");
    let refused = "tidemark_mails_refused_by_policy_total";
    projector.measures(refused, "", |it| it > 0.0).await;
    let sql = "select count(*) from events where aggregate = 'contact_point'";
    let known: i64 = sqlx::query_scalar(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(known, 0);
}
