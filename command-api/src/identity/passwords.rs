//! Passwords: the rule for new ones, and hashing with Argon2id, a bounded number at a time.
//!
//! The rule is that of NIST SP 800-63B-4: a password must be long and not easily guessed. It need not mix
//! kinds of characters, and all its characters count.

use std::ops::RangeInclusive;
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

/// How many characters of a password are used to estimate how easily it is guessed: the time of the
/// estimate grows with the square of their number.
const ESTIMATED_CHARS: usize = 64;

/// Hashes and verifies passwords, few at a time: each hash takes a core and 19 MiB for tens of milliseconds.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// One permit for each hash that may be computed at a time.
    running: Arc<Semaphore>,
    /// One permit for each request that may compute a hash or wait for that.
    waiting: Arc<Semaphore>,
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
            waiting: Arc::new(Semaphore::new(
                settings.hash_concurrency + settings.hash_queue_max,
            )),
            wait_max: Duration::from_millis(settings.hash_wait_ms),
            length: settings.password_min..=settings.password_max,
            dummy_hash,
        })
    }

    /// Refuses a new password that breaks the rule. `context` is what others know of its owner, such as
    /// the name: a password made of that is easily guessed.
    ///
    /// # Errors
    /// 422 with the reason.
    pub fn check(&self, password: &str, context: &[&str]) -> Result<(), Problem> {
        let normal = normalised(password);
        let refuse = |reason: String| {
            Err(Problem::invalid(vec![FieldError::pointer(
                "/password",
                reason,
            )]))
        };
        let chars = normal.chars().count();
        if !self.length.contains(&chars) {
            let (min, max) = (self.length.start(), self.length.end());
            return refuse(format!("must have {min} to {max} characters, has {chars}"));
        }
        let head: String = normal.chars().take(ESTIMATED_CHARS).collect();
        let estimate = zxcvbn(&head, context);
        if estimate.score() < Score::Three {
            let warning = estimate
                .feedback()
                .and_then(zxcvbn::feedback::Feedback::warning);
            let reason =
                warning.map_or_else(|| "It is a common pattern.".to_owned(), |w| w.to_string());
            return refuse(format!("is too easily guessed: {reason}"));
        }
        Ok(())
    }

    /// Hashes a new password; the text names algorithm, cost and salt (a PHC string).
    ///
    /// # Errors
    /// [`Error::Overloaded`] if too many wait, or the wait is too long.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = normalised(password);
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, &password)).await?
    }

    /// Whether the password has this hash. Without a hash the answer is no, after the same time.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if too many wait, or the wait is too long.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, Error> {
        let password = normalised(password);
        let has_hash = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy_hash.to_string());
        let argon2 = self.argon2.clone();
        let matches = self
            .run(move || {
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
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Error::Overloaded)?;
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

/// Two ways of typing a password give one text (NIST SP 800-63B-4, 3.1.1.2).
fn normalised(password: &str) -> String {
    password.nfc().collect()
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, Error> {
    let hash = argon2
        .hash_password(password.as_bytes())
        .map_err(Error::internal)?;
    Ok(hash.to_string())
}
