//! Passwords: the rule for new ones, and hashing with Argon2id. Both cost CPU, so they run on blocking threads, a
//! bounded number at a time, and delay nothing else.
//!
//! The rule is that of NIST SP 800-63B-4: a password must be long and not easily guessed. It need not mix
//! kinds of characters, and all its characters count.

use std::ops::RangeInclusive;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tidemark_platform::config::Auth as Settings;
use tidemark_platform::http::{FieldError, Problem};
use tidemark_platform::server::ClientAddress;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use unicode_normalization::UnicodeNormalization;
use zxcvbn::feedback::Feedback;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, Match, Score, zxcvbn};

use crate::admission::{Admission, Permit, Share};
use crate::error::Error;

/// The number of characters of a password. The settings can only narrow it (NIST SP 800-63B-4, 3.1.1.2).
const LENGTH: RangeInclusive<usize> = 15..=128;

/// How many characters of a password are used to estimate how easily it is guessed, which is enough to find
/// it hard to guess. The time of the estimate grows with the square of their number, and with the ways to
/// read them: at worst it is 70 ms for 20 characters, as long as a hash takes, and 0.6 s for 64. The
/// estimate multiplies by the factorial of the number of patterns, which overflows above 20.
const ESTIMATED_CHARS: usize = 20;

/// Checks, hashes and verifies passwords, few at a time: each takes a core for tens of milliseconds, and a
/// hash 19 MiB.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// One permit for each password that may be worked on at a time.
    running: Arc<Semaphore>,
    /// Admits the requests whose password may be worked on or wait for that.
    waiting: Admission,
    wait_max: Duration,
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
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy_hash = hash(&argon2, "nobody has this password")?.into();
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(settings.hash_concurrency)),
            waiting: Admission::new(
                "tidemark_passwords",
                settings.hash_concurrency + settings.hash_queue_max,
                settings.hash_per_address_max,
            ),
            wait_max: Duration::from_millis(settings.hash_wait_ms),
            length: settings.password_min..=settings.password_max,
            dummy_hash,
        })
    }

    /// Admits a request from this address, with whatever credential: who has many accounts has no larger share.
    /// Routes ask before they do anything else for the request.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] if too many of this address wait; [`Error::Overloaded`] if too many wait.
    pub fn admit(&self, address: ClientAddress) -> Result<Permit, Error> {
        self.waiting.admit(Share::Address(address.0))
    }

    /// Hashes a new password, or refuses one that breaks the rule. `context` is what others know of its owner,
    /// such as the name: a password made of that is easily guessed. The hash is a PHC string, which names
    /// algorithm, cost and salt.
    ///
    /// # Errors
    /// 422 with the reason; 503 if the wait is too long.
    pub async fn hash_new(
        &self,
        admitted: Permit,
        password: &str,
        context: &[&str],
    ) -> Result<String, Problem> {
        let password = normalised(password);
        check_length(&password, &self.length).map_err(refusal)?;
        // What is longer than the head would never be found in it.
        let context: Vec<_> = context.iter().map(|it| head(it)).collect();
        let argon2 = self.argon2.clone();
        self.run(admitted, move || {
            let context: Vec<_> = context.iter().map(String::as_str).collect();
            if let Some(reason) = weakness(estimate(&head(&password), &context), &context) {
                return Err(refusal(format!("is too easily guessed: {reason}")));
            }
            Ok(hash(&argon2, &password)?)
        })
        .await?
    }

    /// Whether the password has this hash. Without a hash the answer is no, after the same time.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the wait is too long.
    pub async fn verify(
        &self,
        admitted: Permit,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let password = normalised(password);
        let has_hash = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy_hash.to_string());
        let argon2 = self.argon2.clone();
        let matches = self
            .run(admitted, move || {
                let parsed = PasswordHash::new(&hash).map_err(Error::internal)?;
                Ok::<_, Error>(argon2.verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await??;
        Ok(matches && has_hash)
    }

    /// Runs `work` on a blocking thread. The permit belongs to that thread and not to the request, since
    /// the work goes on if the client disconnects.
    async fn run<T: Send + 'static>(
        &self,
        _admitted: Permit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit: OwnedSemaphorePermit =
            timeout(self.wait_max, Arc::clone(&self.running).acquire_owned())
                .await
                .map_err(|_| Error::Overloaded)?
                .map_err(Error::internal)?;
        spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(Error::internal)
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

/// The part of a text by which it is judged how easily a password is guessed.
fn head(text: &str) -> String {
    text.chars().take(ESTIMATED_CHARS).collect()
}

/// Estimates how easily a password is guessed; `None` if that fails. The estimate overflows, and so panics,
/// on some long passwords of many short patterns.
fn estimate(password: &str, context: &[&str]) -> Option<Entropy> {
    let estimate = catch_unwind(|| zxcvbn(password, context));
    estimate
        .inspect_err(|_| tracing::warn!("how easily a new password is guessed cannot be estimated"))
        .ok()
}

/// Why a password is easily guessed; `None` if it is not.
///
/// A password without an estimate counts as easily guessed. NIST requires that a new password is compared
/// with those that are commonly used or expected, which this one was not, and its owner can choose another.
fn weakness(estimate: Option<Entropy>, context: &[&str]) -> Option<String> {
    let Some(estimate) = estimate else {
        return Some("It cannot be measured.".to_owned());
    };
    if estimate.score() >= Score::Three {
        return None;
    }
    if names(estimate.sequence(), context) {
        return Some("It contains your name, your address or the name of this service.".to_owned());
    }
    let warning = estimate.feedback().and_then(Feedback::warning);
    Some(warning.map_or_else(|| "It is a common pattern.".to_owned(), |w| w.to_string()))
}

/// Whether one of the parts of a password, which may be repeated, is among what others know of its owner.
fn names(parts: &[Match], context: &[&str]) -> bool {
    parts.iter().any(|part| {
        if let MatchPattern::Repeat(repeat) = &part.pattern {
            return names(&repeat.base_matches, context);
        }
        let MatchPattern::Dictionary(word) = &part.pattern else {
            return false;
        };
        let mut known = context.iter().map(|it| it.to_lowercase());
        known.any(|it| it == word.matched_word)
    })
}

fn refusal(reason: String) -> Problem {
    Problem::invalid(vec![FieldError::pointer("/password", reason)])
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
    fn a_password_that_cannot_be_measured_counts_as_easily_guessed() {
        let overflowing = "20201010".repeat(8);
        let reason = weakness(estimate(&overflowing, &[]), &[]);
        assert_eq!(reason.as_deref(), Some("It cannot be measured."));
    }

    #[test]
    fn a_password_of_ones_own_name_is_told_so() {
        let context = ["Ada Lovelace", "tidemark"];
        for password in ["Ada Lovelace", "tidemarktidemark"] {
            let reason = weakness(estimate(password, &context), &context).unwrap();
            assert!(reason.contains("your name"), "{password}: {reason}");
        }
        let common = weakness(estimate("passwordpassword", &context), &context).unwrap();
        assert!(!common.contains("your name"), "{common}");
    }
}
