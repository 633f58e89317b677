//! Finds out who sends a request: a user with an access token, a service with a secret, or nobody known.
//! What the sender may do is decided by commands and queries, not here.

mod access_token;
mod principal;
mod services;

pub use access_token::{AccessClaims, Issuer, Verifier};
pub use principal::{Authenticated, LoggedIn, Principal, Service, User};
pub use services::{ServiceCredential, Services};

pub(crate) use principal::{RequestActor, unauthenticated};

use principal::{Identified, unknown_scheme};

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};

use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::http::Problem;

/// The scheme of access tokens.
const BEARER: &[u8] = b"Bearer";

/// Why a key, a secret or a token cannot be used. Clients learn that they are not authenticated, and whether a token that
/// was issued here has expired.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is missing.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A setting has an unusable value.
    #[error("{variable} {problem}")]
    Setting {
        /// The environment variable that sets it.
        variable: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// A token cannot be signed.
    #[error("the token cannot be signed: {0}")]
    Signing(jsonwebtoken::errors::Error),
    /// A token is malformed, made for another purpose, or not signed by our key.
    #[error("the token was not issued here: {0}")]
    Foreign(String),
    /// A token has expired or is not valid yet.
    #[error("the token has expired or is not valid yet")]
    Expired,
}

/// Authenticates requests. Clones share the keys and secrets.
#[derive(Clone, Debug)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    verifier: Verifier,
    services: Services,
    clock: Clock,
}

impl Authenticator {
    /// Accepts the access tokens that `verifier` verifies and the secrets of `services`.
    #[must_use]
    pub fn new(verifier: Verifier, services: Services, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            verifier,
            services,
            clock,
        }))
    }

    /// Accepts tokens and secrets by the configuration.
    ///
    /// # Errors
    /// If the verifying key or the service tokens are missing or unusable.
    pub fn from_config(config: &Config, clock: Clock) -> Result<Self, Error> {
        let verifier = Verifier::from_config(&config.auth)?;
        Ok(Self::new(verifier, Services::from_config(config)?, clock))
    }

    /// Finds out who sends a request with these headers.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Identified, Problem> {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Ok(Identified::lasting(Principal::Anonymous));
        };
        if headers.get_all(AUTHORIZATION).iter().count() > 1 {
            let detail = "The header authorization is sent more than once.";
            return Err(Problem::bad_request("repeated_header", detail));
        }
        let refuse = |detail| Problem::invalid_token("invalid_token", detail);
        let (scheme, credential) = parts_of(value);
        if scheme.eq_ignore_ascii_case(BEARER) {
            let verified = self.0.verifier.verify(credential, self.0.clock.now());
            verified
                .map(|claims| Identified {
                    until: Some(self.0.verifier.accepted_until(&claims)),
                    principal: Principal::User(claims.into()),
                })
                .map_err(|e| refuse(fault_of_token(&e)).caused_by(e))
        } else if scheme.eq_ignore_ascii_case(services::SCHEME.as_bytes()) {
            self.0
                .services
                .authenticate(credential)
                .map(|service| Identified::lasting(Principal::Service(service)))
                .ok_or_else(|| refuse("No service has this name and this secret."))
        } else {
            Err(unknown_scheme())
        }
    }
}

/// The scheme of a credential, and what follows it. RFC 9110 allows several spaces between them. What is no text is no
/// credential that was issued here.
fn parts_of(value: &HeaderValue) -> (&[u8], &str) {
    let value = value.as_bytes();
    let end = value.iter().position(|&byte| byte == b' ');
    let (scheme, rest) = value.split_at(end.unwrap_or(value.len()));
    let credential = str::from_utf8(rest).unwrap_or_default();
    (scheme, credential.trim_start_matches(' '))
}

/// What a client is told of a token that is not accepted.
fn fault_of_token(error: &Error) -> &'static str {
    if matches!(error, Error::Expired) {
        "The access token has expired: refresh the session."
    } else {
        "The access token was not issued here, or was changed: log in again."
    }
}

#[cfg(test)]
mod tests;
