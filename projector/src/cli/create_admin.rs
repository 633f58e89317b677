//! Creates the first administrator. The command API decides whether that is allowed.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tidemark_platform::Config;
use tidemark_platform::auth::ServiceCredential;
use tidemark_platform::config::required;

use super::{Admin, Error, print};

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    #[serde(default)]
    pointer: String,
    detail: String,
}

pub(super) async fn create_admin(config: &Config, admin: Admin) -> Result<ExitCode, Error> {
    let secret = required(&config.bootstrap_secret, "bootstrap_secret")?;
    let password = password(&admin).map_err(Error::Password)?;
    let body = json!({
        "email": admin.email,
        "password": password.expose_secret(),
        "display_name": admin.display_name,
        "secret": secret,
    });
    let url = format!("{}/v1/admins", config.command_api.url);
    let failed = Error::CommandApi;
    // The password may wait until others are hashed.
    let timeout = Duration::from_millis(config.http.handler_timeout_ms);
    let response = Client::builder()
        .timeout(timeout)
        .build()
        .map_err(failed)?
        .post(&url)
        .header(
            AUTHORIZATION,
            ServiceCredential::from_config(config)?.authorization()?,
        )
        .json(&body)
        .send()
        .await
        .map_err(failed)?;
    let status = response.status();
    let body = response.bytes().await.map_err(failed)?;
    match outcome(status, &body) {
        Ok(message) => {
            print(&message.replace("{email}", &admin.email));
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => Err(Error::Refused(refusal)),
    }
}

/// The message to print: `Ok` if there is an administrator now, `Err` if the command was refused.
fn outcome(status: StatusCode, body: &[u8]) -> Result<String, String> {
    if status.is_success() {
        return Ok("{email} is the first administrator and can log in.".to_owned());
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Err(status.to_string());
    };
    if problem.code == "first_admin_exists" {
        return Ok("There is an administrator already: nothing was changed.".to_owned());
    }
    let errors = problem
        .errors
        .iter()
        .map(|error| format!("\n  {} {}", error.pointer, error.detail));
    Err(format!(
        "{} ({}){}",
        problem.detail,
        problem.code,
        errors.collect::<String>()
    ))
}

fn password(admin: &Admin) -> std::io::Result<SecretString> {
    let mut text = String::new();
    match &admin.password_file {
        Some(path) => text = std::fs::read_to_string(path)?,
        None => drop(std::io::stdin().read_to_string(&mut text)?),
    }
    // A file ends in a line feed, which is not part of the password.
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_that_exists_already_is_no_error() {
        let problem = br#"{"code":"first_admin_exists","detail":"there is one"}"#;
        assert!(outcome(StatusCode::CONFLICT, problem).is_ok());
    }

    #[test]
    fn a_refusal_names_each_field_and_its_error() {
        let problem = br#"{"code":"invalid","detail":"No.","errors":[{"pointer":"/password","detail":"too short"}]}"#;
        let refusal = outcome(StatusCode::UNPROCESSABLE_ENTITY, problem);
        assert_eq!(
            refusal,
            Err("No. (invalid)\n  /password too short".to_owned())
        );
    }
}
