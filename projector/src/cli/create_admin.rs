//! Creates the first administrator. The command API decides whether that is allowed.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tidemark_platform::Config;
use tidemark_platform::config::required;

use super::command_api::CommandApi;
use super::{Error, print};

/// The first administrator.
#[derive(Debug, clap::Args)]
pub(super) struct Admin {
    /// The e-mail address to log in with
    #[arg(long)]
    pub(super) email: String,
    /// The name that others see
    #[arg(long, default_value = "Administrator")]
    pub(super) display_name: String,
    /// The file that holds the password; without it, the password is read from standard input
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
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
    let command_api = CommandApi::new(config)?;
    match command_api.post("/v1/admins", None, &body).await? {
        Ok(_) => print(&format!(
            "{} is the first administrator and can log in.",
            admin.email
        )),
        Err(refusal) if refusal.code.as_deref() == Some("first_admin_exists") => {
            print("There is an administrator already: nothing was changed.");
        }
        Err(refusal) => return Err(Error::Refused(refusal.to_string())),
    }
    Ok(ExitCode::SUCCESS)
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
