//! Who takes part in a test: users of every role, and services. Each is a client with a credential.

use std::ops::Deref;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Answer;
use crate::settings::from_environment;
use crate::{App, Client};

/// Somebody who is logged in. Sends requests as a [`Client`] does.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: Uuid,
    /// Nobody else's.
    pub email: String,
    /// Nobody else's.
    pub display_name: String,
    /// Nobody else's.
    pub password: String,
    /// Of the log in.
    pub session_id: Uuid,
    /// Of the log in.
    pub refresh_token: String,
    /// Of the log in.
    pub access_token: String,
    client: Client,
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Somebody who has not registered yet.
#[derive(Clone, Debug)]
pub struct Person {
    /// Nobody else's.
    pub email: String,
    /// Nobody else's.
    pub display_name: String,
    /// Nobody else's.
    pub password: String,
}

impl Person {
    /// What they register with.
    #[must_use]
    pub fn registration(&self) -> Value {
        json!({
            "email": self.email,
            "password": self.password,
            "display_name": self.display_name,
        })
    }

    /// What they log in with.
    #[must_use]
    pub fn login(&self) -> Value {
        json!({"email": self.email, "password": self.password})
    }
}

impl App {
    /// Somebody new.
    pub fn person(&self) -> Person {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        Person {
            email: format!("person-{number}@tidemark.example"),
            display_name: format!("Ottilie {number} Sommerfeld"),
            password: format!("slow tides carry {number} lanterns home"),
        }
    }

    /// A registered user, a buyer, logged in.
    pub async fn user(&self) -> User {
        let person = self.person();
        let registered = self.client.post("/v1/users", &person.registration()).await;
        registered.ok();
        self.log_in(&person).await
    }

    /// A user with this role besides.
    pub async fn user_with(&self, role: &str) -> User {
        let user = self.user().await;
        self.grant(&user, role).await;
        // So that the access token names the role.
        self.log_in_again(&user).await
    }

    /// A seller.
    pub async fn seller(&self) -> User {
        self.user_with("seller").await
    }

    /// An auditor.
    pub async fn auditor(&self) -> User {
        self.user_with("auditor").await
    }

    /// The first administrator, made when first asked for.
    pub async fn admin(&self) -> &User {
        let make = || async {
            let person = self.person();
            self.create_first_admin(&person).await.ok();
            self.log_in(&person).await
        };
        self.admin.get_or_init(make).await
    }

    /// Asks for the first administrator to be this one.
    pub async fn create_first_admin(&self, person: &Person) -> Answer {
        let mut body = person.registration();
        body["secret"] = from_environment("TIDEMARK_BOOTSTRAP_SECRET").into();
        self.service("operator").post("/v1/admins", &body).await
    }

    /// Gives a user a role.
    pub async fn grant(&self, user: &User, role: &str) {
        let path = format!("/v1/users/{}/roles", user.id);
        let granted = self.admin().await.post(&path, &json!({"role": role})).await;
        granted.ok();
    }

    /// Logs in.
    pub async fn log_in(&self, person: &Person) -> User {
        let answer = self.client.post("/v1/sessions", &person.login()).await.ok();
        let text = |member: &str| answer.body[member].as_str().unwrap().to_owned();
        let id = |member: &str| text(member).parse().unwrap();
        User {
            id: id("user_id"),
            email: person.email.clone(),
            display_name: person.display_name.clone(),
            password: person.password.clone(),
            session_id: id("session_id"),
            refresh_token: text("refresh_token"),
            access_token: text("access_token"),
            client: self.client.with_token(&text("access_token")),
        }
    }

    /// The same user in another session.
    pub async fn log_in_again(&self, user: &User) -> User {
        self.log_in(&Person {
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            password: user.password.clone(),
        })
        .await
    }

    /// A service, by a name that the configuration knows: `query-api`, `auction-timer`, `operator`.
    pub fn service(&self, name: &str) -> Client {
        let secret = self.settings.service_secret(name);
        let credential = format!("Service {name}:{secret}");
        self.client.with("authorization", credential)
    }
}
