//! Messages that a test has sent to users, as the reactors have it done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidemark_event_store::{LookupKey, ReturnPath};
use tidemark_events::MessageId;
use uuid::Uuid;

use crate::{App, User};

/// The body of a request that has a message sent to a user. Nothing opens what it holds.
#[must_use]
pub fn welcome(user_id: Uuid) -> Value {
    let sealed = json!({
        "subject": user_id,
        "key_version": 1,
        "nonce": "bm9uY2Vub25jZW5vbmNlbm9uY2Vub25j",
        "ciphertext": "Y2lwaGVydGV4dC1hbmQtaXRzLXRhZw",
    });
    json!({"template": "welcome", "to": sealed, "name": sealed})
}

impl App {
    /// The address to which a mail comes back that brings this message.
    ///
    /// # Panics
    /// If the settings lack the lookup key.
    pub fn return_path(&self, message_id: MessageId) -> String {
        let key = STANDARD.decode(self.settings.get("TIDEMARK_SEALING__LOOKUP_KEY"));
        let key = LookupKey::new(key.unwrap()).unwrap();
        let tag = ReturnPath { message_id }.tag(&key);
        format!("bounces+{tag}@tidemark.example")
    }

    /// Has a message sent to a user. Returns the message.
    pub async fn message(&self, user_id: Uuid) -> Uuid {
        let notifier = self.reactor("notifier");
        let requested = notifier.post("/v1/messages", &welcome(user_id)).await;
        requested.ok().id()
    }

    /// Publishes what mails say that greet who registers in a language that no mail has. Returns the template.
    pub async fn template(&self) -> Uuid {
        let operator = self.user_with("operator").await;
        let template = json!({
            "channel": "mail",
            "locale": "de",
            "category": "welcome",
            "subject": "Willkommen, {{ name }}",
            "body": "Guten Tag, {{ name }}.",
        });
        operator.post("/v1/templates", &template).await.ok().id()
    }

    /// Makes a user whose address does not exist, as a server has said. Returns the contact point, too.
    ///
    /// # Panics
    /// If nothing is suppressed.
    pub async fn unreachable_user(&self) -> (User, Uuid) {
        let user = self.user().await;
        let path = format!("/v1/messages/{}/end", self.message(user.id).await);
        let bounced = json!({"outcome": "bounced", "status": "550 5.1.1"});
        self.reactor("mailer").post(&path, &bounced).await.ok();
        let sql = "select stream_id from events where type = 'contact_point.suppressed' order by position desc limit 1";
        let suppressed = sqlx::query_scalar(sql).fetch_one(&self.database.pool);
        (user, suppressed.await.unwrap())
    }
}
