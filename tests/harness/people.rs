//! Who takes part in a test: users of every role, and services. Each is a client with a credential.

use std::ops::Deref;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Answer;
use crate::{App, Client, from_environment};

/// A user who is logged in. It sends requests as a [`Client`] does.
#[derive(Clone, Debug)]
pub struct User {
    /// The id of the user.
    pub id: Uuid,
    /// The user's e-mail address, which nobody else has.
    pub email: String,
    /// The name that others see, which nobody else has.
    pub display_name: String,
    /// The password, which nobody else has.
    pub password: String,
    /// The session that logging in began.
    pub session_id: Uuid,
    /// The first refresh token of the session.
    pub refresh_token: String,
    /// The first access token of the session.
    pub access_token: String,
    client: Client,
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A person who has not registered yet. No two are alike.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's e-mail address, which nobody else has.
    pub email: String,
    /// The name that others see, which nobody else has.
    pub display_name: String,
    /// The password, which nobody else has.
    pub password: String,
}

impl Person {
    /// The body of the request that registers this person.
    #[must_use]
    pub fn registration(&self) -> Value {
        json!({
            "email": self.email,
            "password": self.password,
            "display_name": self.display_name,
        })
    }

    /// The body of the request that logs this person in.
    #[must_use]
    pub fn login(&self) -> Value {
        json!({"email": self.email, "password": self.password})
    }
}

impl App {
    /// Invents a person.
    pub fn person(&self) -> Person {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        Person {
            email: format!("person-{number}@tidemark.example"),
            display_name: format!("Ottilie {number} Sommerfeld"),
            password: format!("slow tides carry {number} lanterns home"),
        }
    }

    /// Registers a person, who is a buyer then, and logs them in.
    pub async fn user(&self) -> User {
        let person = self.person();
        let registered = self.client.post("/v1/users", &person.registration()).await;
        registered.ok();
        self.log_in(&person).await
    }

    /// Makes a user who has this role besides that of a buyer.
    pub async fn user_with(&self, role: &str) -> User {
        let user = self.user().await;
        self.grant(&user, role).await;
        // The new access token names the role.
        self.log_in_again(&user).await
    }

    /// Makes a user who is a seller.
    pub async fn seller(&self) -> User {
        self.user_with("seller").await
    }

    /// Makes a user who is an auditor.
    pub async fn auditor(&self) -> User {
        self.user_with("auditor").await
    }

    /// The first administrator, who is made when a test first asks for one.
    pub async fn admin(&self) -> &User {
        let make = || async {
            let person = self.person();
            self.create_first_admin(&person).await.ok();
            self.log_in(&person).await
        };
        self.admin.get_or_init(make).await
    }

    /// Asks to make this person the first administrator.
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

    /// Logs a registered person in.
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

    /// Logs a user in once more, in another session.
    pub async fn log_in_again(&self, user: &User) -> User {
        self.log_in(&Person {
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            password: user.password.clone(),
        })
        .await
    }

    /// A client with the credential of a service that the configuration knows: `query-api`, `projector`
    /// or `operator`.
    pub fn service(&self, name: &str) -> Client {
        let secret = self.settings.service_secret(name);
        let credential = format!("Service {name}:{secret}");
        self.client.with("authorization", credential)
    }

    /// A client that sends commands as a reactor, with the projector's credential.
    pub fn reactor(&self, name: &str) -> Client {
        self.service("projector").with("x-reactor", name)
    }
}
