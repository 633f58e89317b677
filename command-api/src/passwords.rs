//! Passwords: the rule that new ones keep, and hashing with Argon2id in bounded numbers.
//!
//! The rule is NIST SP 800-63B-4's: long, not easily guessed, no composition rules, never cut.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tidemark_platform::config::Auth as Settings;
use tidemark_platform::http::{FieldError, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

use crate::error::Error;

/// Guessing is estimated on so many characters; the estimate takes time that grows with the square.
const ESTIMATED_CHARS: usize = 64;

/// Hashes and checks passwords, few at a time: each takes a core and 19 MiB for tens of milliseconds.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    wait: Duration,
    chars: std::ops::RangeInclusive<usize>,
    /// What an unknown user's password is checked against, so that it takes as long.
    dummy: Arc<str>,
}

impl Passwords {
    /// With the cost and the limits of the settings.
    ///
    /// # Errors
    /// If Argon2 does not take that cost.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let params = Params::new(
            settings.argon2_memory_kib,
            settings.argon2_iterations,
            settings.argon2_parallelism,
            None,
        )
        .map_err(Error::internal)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(&argon2, "nobody has this password")?.into();
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(settings.hash_concurrency)),
            waiting: Arc::new(Semaphore::new(
                settings.hash_concurrency + settings.hash_queue_max,
            )),
            wait: Duration::from_millis(settings.hash_wait_ms),
            chars: settings.password_min..=settings.password_max,
            dummy,
        })
    }

    /// Whether a new password keeps the rule. `context` is what others know of its owner.
    ///
    /// # Errors
    /// 422, with the reason.
    pub fn check(&self, password: &str, context: &[&str]) -> Result<(), Problem> {
        let normal = normalised(password);
        let refuse = |why: String| {
            Err(Problem::invalid(vec![FieldError::pointer(
                "/password",
                why,
            )]))
        };
        let chars = normal.chars().count();
        if !self.chars.contains(&chars) {
            let (min, max) = (self.chars.start(), self.chars.end());
            return refuse(format!("must have {min} to {max} characters, has {chars}"));
        }
        let head: String = normal.chars().take(ESTIMATED_CHARS).collect();
        let estimate = zxcvbn(&head, context);
        if estimate.score() < Score::Three {
            let warning = estimate
                .feedback()
                .and_then(zxcvbn::feedback::Feedback::warning);
            let why =
                warning.map_or_else(|| "It is a common pattern.".to_owned(), |w| w.to_string());
            return refuse(format!("is too easily guessed: {why}"));
        }
        Ok(())
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if too many wait.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = normalised(password);
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, &password)).await?
    }

    /// Whether the password belongs to the hash. Without a hash it takes as long and says no.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if too many wait.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, Error> {
        let password = normalised(password);
        let is_known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.to_string());
        let argon2 = self.argon2.clone();
        let belongs = self
            .run(move || {
                let parsed = PasswordHash::new(&hash).map_err(Error::internal)?;
                Ok::<_, Error>(argon2.verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await??;
        Ok(belongs && is_known)
    }

    /// Runs on a blocking thread that keeps its permit to the end, whoever still waits for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Error::Overloaded)?;
        let permit: OwnedSemaphorePermit =
            timeout(self.wait, Arc::clone(&self.running).acquire_owned())
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

/// The same password typed on any keyboard (NIST SP 800-63B-4, 3.1.1.2).
fn normalised(password: &str) -> String {
    password.nfc().collect()
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, Error> {
    let hash = argon2
        .hash_password(password.as_bytes())
        .map_err(Error::internal)?;
    Ok(hash.to_string())
}
