//! Passwords: the rule for new ones, and hashing with Argon2id. Both cost CPU, so they run on blocking threads, a
//! bounded number at a time, and delay nothing else.
//!
//! The rule is that of NIST SP 800-63B-4: a password must be long and not easily guessed. It need not mix
//! kinds of characters, and all its characters count.

mod weakness;
mod workers;

use std::ops::RangeInclusive;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tidemark_platform::config::Auth as Settings;
use tidemark_platform::http::{FieldError, Problem};
use tidemark_platform::server::ClientAddress;
use unicode_normalization::UnicodeNormalization;

use self::weakness::weakness;
pub use self::workers::Admitted;
use self::workers::Workers;
use crate::error::Error;

/// The number of characters of a password. The settings can only narrow it (NIST SP 800-63B-4, 3.1.1.2).
const LENGTH: RangeInclusive<usize> = 15..=128;

/// Checks, hashes and verifies passwords, few at a time: each takes a core for tens of milliseconds, and a
/// hash 19 MiB.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    workers: Workers,
    length: RangeInclusive<usize>,
    /// The hash that a password is compared with if there is no user: that takes as long as with one.
    dummy_hash: Arc<str>,
}

impl Passwords {
    /// Uses the cost and the limits of the settings.
    ///
    /// # Errors
    /// If Argon2 does not accept the cost.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let params = Params::new(
            settings.argon2_memory_kib,
            settings.argon2_iterations,
            settings.argon2_parallelism,
            None,
        )
        .map_err(Error::internal)?;
        Ok(Self {
            dummy_hash: dummy_hash(&params).into(),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            workers: Workers::new(settings),
            length: settings.password_min..=settings.password_max,
        })
    }

    /// Admits a request from this address, with whatever credential: who has many accounts has no larger share.
    /// Routes ask before they do anything else for the request.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] if too many of this address wait; [`Error::Overloaded`] if too many wait, and of no
    /// other address more.
    pub fn admit(&self, address: ClientAddress) -> Result<Admitted, Error> {
        self.workers.admit(address)
    }

    /// Hashes a new password, or refuses one that breaks the rule. `context` is what others know of its owner,
    /// such as the name: a password made of that is easily guessed. The hash is a PHC string, which names
    /// algorithm, cost and salt.
    ///
    /// # Errors
    /// 422 with the reason; 503 as for [`Self::verify`].
    pub async fn hash_new(
        &self,
        admitted: Admitted,
        password: &str,
        context: &[&str],
    ) -> Result<String, Problem> {
        let password = normalised(password);
        check_length(&password, &self.length)
            .map_err(|reason| Problem::invalid(vec![fault(reason)]))?;
        let context = owned(context);
        let argon2 = self.argon2.clone();
        let hashing = self.workers.run(admitted, move || {
            if let Some(reason) = weakness(&password, &context) {
                return Err(Problem::invalid(vec![too_weak(&reason)]));
            }
            Ok(hash(&argon2, &password)?)
        });
        hashing.await?
    }

    /// What is wrong with a new password, in the same words, for a request that is refused anyway.
    ///
    /// # Errors
    /// 503 as for [`Self::verify`].
    pub async fn fault_of_new(
        &self,
        admitted: Admitted,
        password: &str,
        context: &[&str],
    ) -> Result<Option<FieldError>, Error> {
        let password = normalised(password);
        if let Err(reason) = check_length(&password, &self.length) {
            return Ok(Some(fault(reason)));
        }
        let context = owned(context);
        let judging = self
            .workers
            .run(admitted, move || weakness(&password, &context));
        Ok(judging.await?.as_deref().map(too_weak))
    }

    /// Whether the password has this hash. Without a hash the answer is no, after the same time.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the wait is too long, or the place was given to an address that has less waiting.
    pub async fn verify(
        &self,
        admitted: Admitted,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let password = normalised(password);
        let has_hash = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy_hash.to_string());
        let argon2 = self.argon2.clone();
        let comparing = self.workers.run(admitted, move || {
            let parsed = PasswordHash::new(&hash).map_err(Error::internal)?;
            Ok::<_, Error>(argon2.verify_password(password.as_bytes(), &parsed).is_ok())
        });
        Ok(comparing.await?? && has_hash)
    }
}

/// The rule of `garde` by which a password that is too short or too long is told together with the other faults of a body.
pub(crate) fn has_allowed_length<C>(password: &str, _context: &C) -> garde::Result {
    check_length(&normalised(password), &LENGTH).map_err(garde::Error::new)
}

/// What is wrong with the length of a normalised password.
fn check_length(password: &str, length: &RangeInclusive<usize>) -> Result<(), String> {
    let chars = password.chars().count();
    if length.contains(&chars) {
        return Ok(());
    }
    let (min, max) = (length.start(), length.end());
    Err(format!("must have {min} to {max} characters, has {chars}"))
}

/// Two ways of typing a password give one text (NIST SP 800-63B-4, 3.1.1.2).
fn normalised(password: &str) -> String {
    password.nfc().collect()
}

fn fault(reason: String) -> FieldError {
    FieldError::pointer("/password", reason)
}

fn too_weak(reason: &str) -> FieldError {
    fault(format!("is too easily guessed: {reason}"))
}

fn owned(context: &[&str]) -> Vec<String> {
    context.iter().map(|&it| it.to_owned()).collect()
}

/// A hash of this cost that no password is known to have: its salt and its bytes are all zero. To compute one would take much
/// memory at the start.
fn dummy_hash(params: &Params) -> String {
    let (memory, iterations, parallelism) = (params.m_cost(), params.t_cost(), params.p_cost());
    let (salt, bytes) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={memory},t={iterations},p={parallelism}${salt}${bytes}")
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, Error> {
    let hash = argon2
        .hash_password(password.as_bytes())
        .map_err(Error::internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_with_nobodys_hash_costs_what_one_with_a_hash_costs() {
        let params = || Params::new(19_456, 2, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
        let real = hash(&argon2, "somebody has this password").unwrap();
        let dummy = dummy_hash(&params());
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(cost(&dummy), cost(&real));
        assert_eq!(dummy.len(), real.len());
        let parsed = PasswordHash::new(&dummy).unwrap();
        let compared = argon2.verify_password(b"somebody has this password", &parsed);
        let expected = argon2::password_hash::Error::PasswordInvalid;
        assert_eq!(compared, Err(expected));
    }
}
