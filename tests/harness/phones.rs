//! Telephones of users, and the codes that texts bring there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidemark_event_store::{SubjectKeys, TimedPool};
use tidemark_events::Sealed;

use crate::{Answer, App, User};

/// How long Postgres may take in a test.
const TIMEOUT: Duration = Duration::from_secs(10);

impl App {
    /// Has a code sent to this number of the user.
    pub async fn state_phone(&self, user: &User, number: &str) -> Answer {
        let path = format!("/v1/users/{}/phone", user.id);
        user.post(&path, &json!({"number": number})).await
    }

    /// The code of the newest text to the user. None if its key was destroyed.
    ///
    /// # Panics
    /// If there is no such text.
    pub async fn phone_code(&self, user: &User) -> Option<String> {
        let sql = "select data->'template'->'phone_code'->>'code'
                     from events
                    where type = 'message.requested'
                      and data->>'user_id' = $1
                      and data->>'channel' = 'sms'
                    order by position desc
                    limit 1";
        let sealed: String = sqlx::query_scalar(sql)
            .bind(user.id.to_string())
            .fetch_one(&self.database.pool)
            .await
            .unwrap();
        self.unsealed_code(&sealed).await
    }

    /// The code of a text that says this. None if its key was destroyed.
    ///
    /// # Panics
    /// If the text brings no code.
    pub async fn code_of(&self, template: &Value) -> Option<String> {
        let sealed = &template["phone_code"]["code"];
        self.unsealed_code(&sealed.to_string()).await
    }

    async fn unsealed_code(&self, sealed: &str) -> Option<String> {
        let sealed: Sealed = serde_json::from_str(sealed).unwrap();
        self.subject_keys()
            .unseal("phone_code", &sealed)
            .await
            .unwrap()
    }

    /// The keys with which this deployment seals, read from the database each time.
    fn subject_keys(&self) -> SubjectKeys {
        let master = self.settings.get("TIDEMARK_SEALING__MASTER_KEY");
        let master = STANDARD.decode(master).unwrap();
        let pool = TimedPool::new(self.database.pool.clone(), TIMEOUT);
        SubjectKeys::new(pool, &master, Duration::ZERO, 1).unwrap()
    }

    /// Sends this code.
    pub async fn send_code(&self, user: &User, code: &str) -> Answer {
        let path = format!("/v1/users/{}/phone/verify", user.id);
        user.post(&path, &json!({"code": code})).await
    }

    /// Lets the user be told of a category by texts too.
    pub async fn choose_texts(&self, user: &User, category: &str) -> Answer {
        let path = format!("/v1/users/{}/preferences", user.id);
        let chosen = json!({"category": category, "inbox": true, "mail": true, "sms": true});
        user.post(&path, &chosen).await
    }

    /// The events of a type, each as its data, the oldest first.
    pub async fn events(&self, event_type: &str) -> Vec<Value> {
        let sql = "select data::text from events where type = $1 order by position";
        let data: Vec<String> = sqlx::query_scalar(sql)
            .bind(event_type)
            .fetch_all(&self.database.pool)
            .await
            .unwrap();
        let data = data.iter();
        data.map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}
