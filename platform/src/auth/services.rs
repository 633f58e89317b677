//! Services and their secrets: `Authorization: Service <name>:<secret>`.

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
const TOKENS: &str = "TIDEMARK_SERVICE_TOKENS";
const TOKEN: &str = "TIDEMARK_SERVICE_TOKEN";

/// The services that may call. A name may have two secrets, so that one can be replaced.
#[derive(Default)]
pub struct Services {
    entries: Vec<Entry>,
}

struct Entry {
    /// Of `name:secret`.
    hash: [u8; 32],
    service: Service,
}

impl Services {
    /// With `service_tokens`, and what `services` grants to each.
    ///
    /// # Errors
    /// If an entry is not `name=secret`, or its secret is short.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        let tokens = config.service_tokens.expose_secret();
        let entries = tokens
            .split(',')
            .filter(|token| !token.trim().is_empty())
            .map(|token| {
                let (name, secret) = credential(token, TOKENS)?;
                let commands = config
                    .services
                    .get(name)
                    .map(|grant| grant.commands.clone());
                Ok(Entry {
                    hash: hash(&format!("{name}:{secret}")),
                    service: Service {
                        name: name.to_owned(),
                        commands: commands.unwrap_or_default(),
                    },
                })
            });
        Ok(Self {
            entries: entries.collect::<Result<_, Error>>()?,
        })
    }

    /// The service that `name:secret` belongs to. Takes the same time for all that is presented.
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

/// Who this process is when it calls another.
#[derive(Clone, Debug)]
pub struct ServiceCredential {
    name: String,
    authorization: SecretString,
}

impl ServiceCredential {
    /// With `service_token`.
    ///
    /// # Errors
    /// If it is missing, not `name=secret`, or its secret is short.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        let (name, secret) = credential(required(&config.service_token, "service_token")?, TOKEN)?;
        Ok(Self {
            name: name.to_owned(),
            authorization: format!("{SCHEME} {name}:{secret}").into(),
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of the `Authorization` header, marked as sensitive.
    ///
    /// # Errors
    /// If the secret holds characters that no header can.
    pub fn authorization(&self) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::from_str(self.authorization.expose_secret())
            .map_err(|_| bad(TOKEN, "holds characters that no header can"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn credential<'a>(token: &'a str, variable: &'static str) -> Result<(&'a str, &'a str), Error> {
    let pair = token
        .trim()
        .split_once('=')
        .filter(|(name, _)| !name.is_empty());
    let (name, secret) = pair.ok_or_else(|| bad(variable, "is not name=secret"))?;
    if secret.len() < SECRET_BYTES_MIN {
        return Err(bad(
            variable,
            &format!("has a secret of less than {SECRET_BYTES_MIN} bytes, for {name}"),
        ));
    }
    Ok((name, secret))
}

fn bad(variable: &'static str, problem: &str) -> Error {
    Error::Setting {
        variable,
        problem: problem.to_owned(),
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
