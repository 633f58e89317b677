//! Services and their secrets, which are sent as `Authorization: Service <name>:<secret>`.

use std::fmt;

use axum::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::{Error, Service};
use crate::config::{Config, required};

/// The scheme of the `Authorization` header.
pub(super) const SCHEME: &str = "Service";
const SECRET_BYTES_MIN: usize = 32;
const TOKENS_VARIABLE: &str = "TIDEMARK_SERVICE_TOKENS";
const TOKEN_VARIABLE: &str = "TIDEMARK_SERVICE_TOKEN";

/// The services that may call this process. A name may have two secrets at a time, so that a secret can be
/// replaced without an interruption.
#[derive(Default)]
pub struct Services {
    entries: Vec<Entry>,
}

struct Entry {
    /// The SHA-256 hash of `name:secret`.
    hash: [u8; 32],
    service: Service,
}

impl Services {
    /// Reads the secrets from `service_tokens` and the grants from `services`.
    ///
    /// # Errors
    /// If an entry is not `name=secret`, or its secret is too short.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        let tokens = config.service_tokens.expose_secret();
        let entries = tokens
            .split(',')
            .filter(|token| !token.trim().is_empty())
            .map(|token| {
                let (name, secret) = parse_credential(token, TOKENS_VARIABLE)?;
                let grant = config.services.get(name);
                let commands = grant.map(|grant| grant.commands.clone());
                Ok(Entry {
                    hash: hash(&format!("{name}:{secret}")),
                    service: Service {
                        name: name.to_owned(),
                        commands: commands.unwrap_or_default(),
                        acts_as_reactors: grant.is_some_and(|grant| grant.acts_as_reactors),
                    },
                })
            });
        Ok(Self {
            entries: entries.collect::<Result<_, Error>>()?,
        })
    }

    /// The service that `name:secret` belongs to. It takes the same time whatever is presented, so that
    /// nobody can find a secret by measuring.
    pub(super) fn authenticate(&self, presented: &str) -> Option<Service> {
        let presented = hash(presented);
        let mut found = u64::MAX;
        for (index, entry) in (0..).zip(&self.entries) {
            let is_equal: Choice = entry.hash.ct_eq(&presented);
            found.conditional_assign(&index, is_equal);
        }
        self.entries
            .get(usize::try_from(found).ok()?)
            .map(|entry| entry.service.clone())
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|entry| &entry.service.name))
            .finish()
    }
}

/// The name and the secret of this process when it calls another.
#[derive(Clone, Debug)]
pub struct ServiceCredential {
    name: String,
    authorization: SecretString,
}

impl ServiceCredential {
    /// Reads name and secret from `service_token`.
    ///
    /// # Errors
    /// If the setting is missing or not `name=secret`, or the secret is too short.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        let token = required(&config.service_token, "service_token")?;
        let (name, secret) = parse_credential(token, TOKEN_VARIABLE)?;
        Ok(Self {
            name: name.to_owned(),
            authorization: format!("{SCHEME} {name}:{secret}").into(),
        })
    }

    /// The name of this service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of the `Authorization` header, marked as sensitive.
    ///
    /// # Errors
    /// If the secret holds characters that a header cannot hold.
    pub fn authorization(&self) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::from_str(self.authorization.expose_secret())
            .map_err(|_| unusable(TOKEN_VARIABLE, "holds characters that a header cannot hold"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn parse_credential<'a>(
    token: &'a str,
    variable: &'static str,
) -> Result<(&'a str, &'a str), Error> {
    let pair = token
        .trim()
        .split_once('=')
        .filter(|(name, _)| !name.is_empty());
    let (name, secret) = pair.ok_or_else(|| unusable(variable, "is not name=secret"))?;
    if secret.len() < SECRET_BYTES_MIN {
        return Err(unusable(
            variable,
            &format!("has a secret of fewer than {SECRET_BYTES_MIN} bytes for {name}"),
        ));
    }
    Ok((name, secret))
}

fn unusable(variable: &'static str, problem: &str) -> Error {
    Error::Setting {
        variable,
        problem: problem.to_owned(),
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
