//! The users of the demo: an administrator, sellers and bidders. They are registered at the first
//! start, and log in at every start.

use serde_json::json;
use tokio::sync::Mutex;

use crate::api::{Answer, Api, Failure};

const SELLERS: [&str; 2] = ["Ida", "Otto"];
const BIDDERS: [&str; 5] = ["Anna", "Ben", "Clara", "David", "Emma"];

/// A user who is logged in.
pub(crate) struct Person {
    pub(crate) name: String,
    email: String,
    password: String,
    token: Mutex<String>,
}

/// All users of the demo.
pub(crate) struct People {
    /// The administrator, who makes categories and grants roles.
    pub(crate) admin: Person,
    pub(crate) sellers: Vec<Person>,
    pub(crate) bidders: Vec<Person>,
}

impl People {
    /// Registers whoever is missing, and logs everybody in.
    pub(crate) async fn log_in(api: &Api, email: &str, password: &str) -> Result<Self, Failure> {
        let admin = Person::log_in(api, "Admin", email.to_owned(), password.to_owned()).await?;
        let mut sellers = Vec::new();
        for name in SELLERS {
            sellers.push(Person::seller(api, name, password, &admin).await?);
        }
        let mut bidders = Vec::new();
        for name in BIDDERS {
            bidders.push(Person::registered(api, name, password).await?.0);
        }
        Ok(Self {
            admin,
            sellers,
            bidders,
        })
    }
}

impl Person {
    /// Sends a command. If the access token has expired, it logs in again first.
    pub(crate) async fn command(
        &self,
        api: &Api,
        path: &str,
        body: impl Into<Option<serde_json::Value>>,
    ) -> Result<Answer, Failure> {
        let body = body.into();
        let token = self.token.lock().await.clone();
        match api.command(path, &token, body.as_ref()).await {
            Err(failure) if failure.code == "invalid_token" => {
                let token = token_of(api, &self.email, &self.password).await?;
                self.token.lock().await.clone_from(&token);
                api.command(path, &token, body.as_ref()).await
            }
            other => other,
        }
    }

    async fn log_in(
        api: &Api,
        name: &str,
        email: String,
        password: String,
    ) -> Result<Self, Failure> {
        let token = Mutex::new(token_of(api, &email, &password).await?);
        Ok(Self {
            name: name.to_owned(),
            email,
            password,
            token,
        })
    }

    /// Registers a user if they are missing, and logs them in. Returns also their id if they are
    /// new.
    async fn registered(
        api: &Api,
        name: &str,
        secret: &str,
    ) -> Result<(Self, Option<String>), Failure> {
        let email = format!("{}@demo.tidemark.localhost", name.to_lowercase());
        // The password contains a secret of this installation, so that nobody else knows it.
        let password = format!("demo {name} {secret}");
        let body = json!({"email": email, "password": password, "display_name": name});
        let id = match api.command("users", "", Some(&body)).await {
            Ok(answer) => Some(answer.id()),
            Err(failure) if failure.code == "email_taken" => None,
            Err(failure) => return Err(failure),
        };
        Ok((Self::log_in(api, name, email, password).await?, id))
    }

    /// Registers a user if they are missing, makes them a seller, and logs them in.
    async fn seller(api: &Api, name: &str, secret: &str, admin: &Self) -> Result<Self, Failure> {
        let (person, new_id) = Self::registered(api, name, secret).await?;
        if let Some(id) = new_id {
            let path = format!("users/{id}/roles");
            admin.command(api, &path, json!({"role": "seller"})).await?;
        }
        Ok(person)
    }
}

async fn token_of(api: &Api, email: &str, password: &str) -> Result<String, Failure> {
    let body = json!({"email": email, "password": password});
    let answer = api.command("sessions", "", Some(&body)).await?;
    Ok(answer.body["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
