//! Who takes part: an administrator, sellers, bidders. Registered once, logged in each time.

use serde_json::json;
use tokio::sync::Mutex;

use crate::api::{Answer, Api, Failure};

const SELLERS: [&str; 2] = ["Ida", "Otto"];
const BIDDERS: [&str; 5] = ["Anna", "Ben", "Clara", "David", "Emma"];

/// Somebody who is logged in.
pub(crate) struct Person {
    /// What they are called.
    pub(crate) name: String,
    email: String,
    password: String,
    token: Mutex<String>,
}

/// Everybody.
pub(crate) struct Cast {
    /// Keeps categories, grants roles.
    pub(crate) admin: Person,
    /// Offer things.
    pub(crate) sellers: Vec<Person>,
    /// Bid on them.
    pub(crate) bidders: Vec<Person>,
}

impl Cast {
    /// Registers whoever is missing and logs everybody in.
    pub(crate) async fn assemble(api: &Api, email: &str, password: &str) -> Result<Self, Failure> {
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
    /// Sends a command, logging in again if the access token has expired.
    pub(crate) async fn command(
        &self,
        api: &Api,
        path: &str,
        body: serde_json::Value,
    ) -> Result<Answer, Failure> {
        let token = self.token.lock().await.clone();
        match api.command(path, &token, &body).await {
            Err(failure) if failure.code == "invalid_token" => {
                let token = token_of(api, &self.email, &self.password).await?;
                self.token.lock().await.clone_from(&token);
                api.command(path, &token, &body).await
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

    /// Somebody, and their id if they were new.
    async fn registered(
        api: &Api,
        name: &str,
        secret: &str,
    ) -> Result<(Self, Option<String>), Failure> {
        let email = format!("{}@demo.tidemark.localhost", name.to_lowercase());
        // Derived from a secret of this installation, so that no account has a known password.
        let password = format!("demo {name} {secret}");
        let body = json!({"email": email, "password": password, "display_name": name});
        let id = match api.command("users", "", &body).await {
            Ok(answer) => Some(answer.id()),
            Err(failure) if failure.code == "email_taken" => None,
            Err(failure) => return Err(failure),
        };
        Ok((Self::log_in(api, name, email, password).await?, id))
    }

    async fn seller(api: &Api, name: &str, secret: &str, admin: &Self) -> Result<Self, Failure> {
        let (person, new) = Self::registered(api, name, secret).await?;
        if let Some(id) = new {
            let path = format!("users/{id}/roles");
            admin.command(api, &path, json!({"role": "seller"})).await?;
        }
        Ok(person)
    }
}

async fn token_of(api: &Api, email: &str, password: &str) -> Result<String, Failure> {
    let body = json!({"email": email, "password": password});
    let answer = api.command("sessions", "", &body).await?;
    Ok(answer.body["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
