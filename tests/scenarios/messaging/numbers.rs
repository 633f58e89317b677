//! What is known of telephone numbers: what follows for them from what the provider says, and who learns of it.

use std::collections::BTreeSet;

use serde_json::json;
use tidemark_tests::{Answer, App, Process, eventually};

use super::provider::Provider;
use super::suppressions::await_events;
use super::texts::{ready, sent_to, started};

#[tokio::test]
async fn what_the_provider_refuses_is_on_record_and_counts_for_the_number() {
    for (number, status, reason) in [
        ("+4915100000610", "400 21610", Some("unsubscribed")),
        ("+4915100000211", "400 21211", Some("hard_bounce")),
        ("+4915100000408", "400 21408", None),
    ] {
        let provider = Provider::start().await;
        let app = started(&provider).await;
        let user = app.user().await;
        let end = sent_to(&app, &user, number).await;
        assert_eq!(end["outcome"], "bounced", "{number}");
        assert_eq!(end["status"], status, "the answer names the number");
        let suppressed = app.events("contact_point.suppressed").await;
        let reasons: Vec<_> = suppressed.iter().map(|it| it["reason"].as_str()).collect();
        assert_eq!(
            reasons,
            reason.iter().map(|it| Some(*it)).collect::<Vec<_>>()
        );
        // A stranger who states the number learns nothing of that, while operators do.
        let stranger = app.user().await;
        let first = app.state_phone(&stranger, number).await.ok();
        let usual = app.state_phone(&stranger, "+4915100000001").await.ok();
        assert_eq!(alike(&first), alike(&usual));
        let unsent = app.events("message.suppressed").await;
        assert_eq!(unsent.len(), usize::from(reason.is_some()), "{unsent:?}");
        if let [unsent] = &unsent[..] {
            assert_eq!(unsent["reason"], "address");
            assert_eq!(unsent["user_id"], json!(stranger.id));
            eventually("the key of the code to be destroyed", || async {
                app.code_of(&unsent["template"])
                    .await
                    .is_none()
                    .then_some(())
            })
            .await;
        }
        if reason == Some("unsubscribed") {
            assert_eq!(suppressed[0]["until"], json!(null));
        }
    }
}

/// What an answer says beside what is of each request: its status, the names of its headers, and those of its members.
fn alike(answer: &Answer) -> (u16, BTreeSet<String>, BTreeSet<String>) {
    let headers = answer.headers.keys().map(ToString::to_string);
    let members = answer.body.as_object().unwrap().keys().cloned();
    (answer.status, headers.collect(), members.collect())
}

#[tokio::test]
async fn operators_find_texts_by_the_number() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let (user, operator) = (app.user().await, app.user_with("operator").await);
    sent_to(&app, &user, "+4915100000001").await;
    sent_to(&app, &user, "+4915100000610").await;
    app.settle().await;
    let found = async |path: &str, number: &str| {
        let page = operator.with("phone-number", number).get(path).await.ok();
        assert!(!page.text.contains(&number[1..]), "{}", page.text);
        page.body["items"].as_array().unwrap().clone()
    };
    let deliveries = "/v1/operations/deliveries";
    for (number, status) in [
        ("+4915100000001", "accepted"),
        ("+4915100000610", "bounced"),
    ] {
        let texts = found(deliveries, number).await;
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert_eq!(
            (&texts[0]["channel"], &texts[0]["status"]),
            (&json!("sms"), &json!(status))
        );
    }
    let suppressions = "/v1/operations/suppressions";
    assert_eq!(found(suppressions, "+4915100000610").await.len(), 1);
    assert_eq!(found(suppressions, "+4915100000001").await.len(), 0);
    assert_eq!(found(deliveries, "+4915100000002").await.len(), 0);
}

#[tokio::test]
async fn a_text_whose_number_was_removed_meanwhile_is_not_sent() {
    let app = ready(App::builder().projector().start().await).await;
    let user = app.user().await;
    app.state_phone(&user, "+4915100000001").await.ok();
    // It waits for a provider.
    let path = format!("/v1/users/{}/phone", user.id);
    user.delete(&path).await.ok();
    app.state_phone(&user, "+4915100000002").await.ok();
    let provider = Provider::start().await;
    let mut settings = app.settings.clone();
    provider.set(&mut settings);
    let _texter = Process::projector(&settings).await;
    let ended = await_events(&app, "message.ended", 2).await;
    let mut outcomes: Vec<_> = ended
        .iter()
        .map(|it| it["outcome"].as_str().unwrap())
        .collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["accepted", "number_withdrawn"]);
    let received = provider.received();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0]["To"], "+4915100000002");
}

#[tokio::test]
async fn an_operator_lets_texts_be_sent_again_to_who_had_unsubscribed() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    sent_to(&app, &user, "+4915100000610").await;
    let operator = app.user_with("operator").await;
    app.settle().await;
    let listed = operator.get("/v1/operations/suppressions").await.ok().body;
    let suppression = &listed["items"][0];
    assert_eq!(suppression["causes"][0]["reason"], "unsubscribed");
    let id = suppression["id"].as_str().unwrap();
    let path = format!("/v1/contact-points/{id}/release");
    operator.post_empty(&path).await.ok();
    sent_to(&app, &user, "+4915100000610").await;
    assert_eq!(provider.received().len(), 2);
}
