//! Texts that a provider refuses for a reason that is not the number's.

use tidemark_tests::Process;

use crate::messaging::callbacks::{call, signature};
use crate::messaging::provider::{Provider, TOKEN};
use crate::messaging::suppressions::await_events;
use crate::messaging::texts::ready;

/// A network that filters what is sent says so after the provider has taken the text.
const FILTERED: [(&str, &str); 3] = [
    ("MessageSid", "SM1"),
    ("MessageStatus", "undelivered"),
    ("ErrorCode", "30007"),
];

#[tokio::test]
async fn texts_that_a_provider_refuses_by_its_policy_are_measured_at_once_and_afterwards() {
    let provider = Provider::start().await;
    let app = provider.commands().start().await;
    let projector = app.spawn_projector().await;
    let app = ready(app).await;
    let user = app.user().await;
    let refused = "tidemark_texts_refused_by_policy_total";
    app.state_phone(&user, "+4915100000408").await.ok();
    projector.measures(refused, "", |it| it > 0.0).await;

    app.state_phone(&user, "+4915100000001").await.ok();
    let ended = await_events(&app, "message.ended", 2).await;
    assert_eq!(ended[1]["outcome"], "accepted");
    let id = ended[1]["message_id"].as_str().unwrap();
    let command_api = Process::command_api(&app.settings).await;
    let client = app.client.via_command_api(&command_api.url);
    let signed = signature(TOKEN, id, &FILTERED);
    // A call that comes again is about the same text.
    for _ in 0..2 {
        let answer = call(&client, id, &FILTERED, &signed).await;
        assert_eq!(answer.status(), 204);
    }
    let once = |it| it > 0.0 && it < 2.0;
    command_api.measures(refused, "", once).await;
    assert_eq!(app.events("contact_point.suppressed").await.len(), 0);
}
