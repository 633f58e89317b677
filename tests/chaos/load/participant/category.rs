//! Changes of a category that nobody else changes, each with the version that it must have.

use serde_json::{Value, json};

use super::Participant;
use crate::load::client::{Command, Outcome};

/// What a client knows of its category.
#[derive(Debug)]
pub(super) struct Category {
    version: i64,
    is_active: bool,
}

impl Default for Category {
    fn default() -> Self {
        Self {
            version: 1,
            is_active: true,
        }
    }
}

impl Participant {
    /// Deactivates the category, or activates it again.
    pub(super) async fn change_category(&mut self) -> Outcome {
        let id = self.people.category;
        let (verb, event_type) = if self.category.is_active {
            ("deactivate", "category.deactivated")
        } else {
            ("activate", "category.activated")
        };
        let mut command = Command::post(
            format!("/v1/categories/{id}/{verb}"),
            &self.owner,
            Value::Null,
            event_type,
            json!({"category_id": id}),
        );
        command.if_match = Some(self.category.version);
        let outcome = self.client.execute(command).await;
        if let Outcome::Accepted(answer) = &outcome {
            self.category.version = answer.version();
            self.category.is_active = !self.category.is_active;
        } else if !matches!(&outcome, Outcome::Refused(answer) if answer.status == 401) {
            self.read_category().await;
        }
        if matches!(outcome, Outcome::Accepted(_)) && self.decides_to_read() {
            let expected = json!([self.category.version, self.category.is_active]);
            let missing = |document: &Value| {
                let found = json!([document["version"], document["active"]]);
                (found != expected).then(|| format!("{found} instead of {expected}"))
            };
            let path = format!("/v1/categories/{id}");
            self.client.read(&path, &self.owner, missing).await;
        }
        outcome
    }

    /// Finds out how the category is, after an outcome that leaves that open.
    async fn read_category(&mut self) {
        let path = format!("/v1/categories/{}", self.people.category);
        let mut found = None;
        let keep = |document: &Value| {
            found = Some(Category {
                version: document["version"].as_i64().unwrap(),
                is_active: document["active"].as_bool().unwrap(),
            });
            None
        };
        self.client.read(&path, &self.owner, keep).await;
        if let Some(found) = found {
            self.category = found;
        }
    }
}
