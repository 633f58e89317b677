//! Sealing: personal data is encrypted under a key of the person it is about, its subject, and compared
//! by hashes under a key of the deployment.
//!
//! The cipher is XChaCha20-Poly1305 with random nonces. A subject's key is stored wrapped, which means
//! encrypted under a master key that never enters the database. To destroy the wrapped key is to erase
//! everything that was sealed with it, backups included. Values are sealed where a registration is received:
//! `command-api/src/routes/identity/users.rs`.

mod files;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use moka::future::Cache;
use rand::Rng;
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use tidemark_events::{EmailAddress, KeyedHash, Sealed, UserId};

pub use self::files::{SEALED_HEADER_BYTES, SealedFile, SealedRange, plain_file_bytes};
use crate::TimedPool;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FIRST_VERSION: i32 = 1;

/// Why a value could not be sealed or unsealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A key that must be 32 bytes is not.
    #[error("a sealing key must have {KEY_BYTES} bytes")]
    KeyLength,
    /// The ciphertext, its nonce, its field or its key is not the one that was written.
    #[error("sealed data cannot be opened: the data, its subject or its key was altered")]
    Broken,
    /// Postgres did not answer when it was asked for a key.
    #[error(transparent)]
    Storage(#[from] Arc<sqlx::Error>),
}

/// The key of a deployment under which personal values are hashed, so that they can be looked up and
/// compared without being unsealed.
#[derive(Debug)]
pub struct LookupKey(SecretBox<[u8]>);

impl LookupKey {
    /// A lookup key made of 32 bytes.
    ///
    /// # Errors
    /// [`SealError::KeyLength`] if there are more or fewer.
    pub fn new(key: Vec<u8>) -> Result<Self, SealError> {
        if key.len() == KEY_BYTES {
            Ok(Self(key.into()))
        } else {
            Err(SealError::KeyLength)
        }
    }

    /// The keyed hash of a value. `domain` says what the value means, so that equal values with
    /// different meanings have different hashes.
    #[must_use]
    pub fn hash(&self, domain: &str, value: &str) -> KeyedHash {
        KeyedHash(hex::encode(self.mac(domain, value.as_bytes())))
    }

    /// The keyed hash of an e-mail address, which all spellings of one mailbox have in common.
    #[must_use]
    pub fn hash_of_email(&self, address: &str) -> KeyedHash {
        self.hash("email", &EmailAddress::normalise(address))
    }

    /// The HMAC-SHA-256 of a value, which is what [`Self::hash`] writes as text.
    #[must_use]
    pub fn mac(&self, domain: &str, value: &[u8]) -> Vec<u8> {
        // HMAC takes a key of any length, so this cannot fail.
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret());
        mac.map(|mac| {
            let mac = mac
                .chain_update(domain)
                .chain_update([0])
                .chain_update(value);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
    }
}

/// A subject's key, unwrapped.
#[derive(Clone)]
pub struct SubjectKey {
    subject: UserId,
    version: i32,
    cipher: XChaCha20Poly1305,
}

impl SubjectKey {
    /// Seals the value of the field with this name. Only the same field can unseal it.
    ///
    /// # Errors
    /// [`SealError::Broken`] if the value is longer than the cipher takes (256 GiB).
    pub fn seal(&self, field: &str, value: &str) -> Result<Sealed, SealError> {
        let nonce = random::<NONCE_BYTES>();
        let aad = associated_data(self.subject, self.version, field);
        let ciphertext = encrypt(&self.cipher, nonce, &aad, value.as_bytes())?;
        Ok(Sealed {
            subject: self.subject,
            key_version: self.version,
            nonce: URL_SAFE_NO_PAD.encode(nonce),
            ciphertext: URL_SAFE_NO_PAD.encode(ciphertext),
        })
    }

    fn unseal(&self, field: &str, sealed: &Sealed) -> Result<String, SealError> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Broken);
        let aad = associated_data(sealed.subject, sealed.key_version, field);
        let nonce = decode(&sealed.nonce)?;
        let plain = decrypt(&self.cipher, &nonce, &aad, &decode(&sealed.ciphertext)?)?;
        String::from_utf8(plain).map_err(|_| SealError::Broken)
    }
}

/// The key of a new subject. The append of the first events that it seals must store it.
pub struct NewSubjectKey {
    /// The key to seal with.
    pub key: SubjectKey,
    /// The number of the key among the subject's keys.
    pub version: i32,
    /// The wrapped key, which is to be stored.
    pub wrapped: Vec<u8>,
}

/// The keys of all subjects. Each is read from Postgres when it is needed and cached for a short time.
#[derive(Clone)]
pub struct SubjectKeys {
    pool: TimedPool,
    master: XChaCha20Poly1305,
    cache: Cache<(UserId, i32), Option<SubjectKey>>,
}

impl SubjectKeys {
    /// Keys that are wrapped under `master` (32 bytes). The cache holds at most `capacity` keys, each
    /// for at most `ttl`, so a key that is destroyed can be used for that much longer.
    ///
    /// # Errors
    /// [`SealError::KeyLength`] if `master` does not have 32 bytes.
    pub fn new(
        pool: TimedPool,
        master: &[u8],
        ttl: Duration,
        capacity: u64,
    ) -> Result<Self, SealError> {
        let master = XChaCha20Poly1305::new_from_slice(master).map_err(|_| SealError::KeyLength)?;
        let cache = Cache::builder()
            .time_to_live(ttl)
            .max_capacity(capacity)
            .build();
        Ok(Self {
            pool,
            master,
            cache,
        })
    }

    /// Makes the key of a new subject. Nothing is stored.
    ///
    /// # Errors
    /// [`SealError::Broken`] if the cipher fails, which it does not for input as short as a key.
    pub fn create(&self, subject: UserId) -> Result<NewSubjectKey, SealError> {
        let secret = random::<KEY_BYTES>();
        let nonce = random::<NONCE_BYTES>();
        let aad = associated_data(subject, FIRST_VERSION, "key");
        let mut wrapped = nonce.to_vec();
        wrapped.extend(encrypt(&self.master, nonce, &aad, &secret)?);
        let key = SubjectKey {
            subject,
            version: FIRST_VERSION,
            cipher: XChaCha20Poly1305::new(&secret.into()),
        };
        Ok(NewSubjectKey {
            key,
            version: FIRST_VERSION,
            wrapped,
        })
    }

    /// The key of a subject that exists. `None` if it was destroyed, because the subject was erased.
    ///
    /// # Errors
    /// [`SealError::Storage`] if Postgres does not answer; [`SealError::Broken`] if the key was altered.
    pub async fn key_of(&self, subject: UserId) -> Result<Option<SubjectKey>, SealError> {
        self.cached((subject, FIRST_VERSION)).await
    }

    /// Unseals a value of the field with this name. `None` means that its key was destroyed, because
    /// the subject was erased.
    ///
    /// # Errors
    /// [`SealError::Broken`] if the data was altered; [`SealError::Storage`] if Postgres does not
    /// answer.
    pub async fn unseal(&self, field: &str, sealed: &Sealed) -> Result<Option<String>, SealError> {
        let id = (sealed.subject, sealed.key_version);
        let key = self.cached(id).await?;
        key.map(|key| key.unseal(field, sealed)).transpose()
    }

    /// Destroys all keys of a subject, so that nothing that was sealed with them can be opened any more. Other processes use what
    /// they have in memory until it is too old.
    ///
    /// # Errors
    /// [`SealError::Storage`] if Postgres does not answer.
    pub async fn destroy(&self, subject: UserId) -> Result<(), SealError> {
        let destroying = sqlx::query!("select destroy_subject_keys($1)", subject.0);
        let destroyed = self
            .pool
            .with_timeout(destroying.execute(&*self.pool))
            .await;
        destroyed.map_err(|error| SealError::Storage(Arc::new(error)))?;
        self.cache.invalidate(&(subject, FIRST_VERSION)).await;
        Ok(())
    }

    async fn cached(&self, id: (UserId, i32)) -> Result<Option<SubjectKey>, SealError> {
        let found = self.cache.try_get_with(id, self.fetch(id)).await;
        found.map_err(|error: Arc<SealError>| match &*error {
            SealError::Storage(error) => SealError::Storage(Arc::clone(error)),
            SealError::Broken | SealError::KeyLength => SealError::Broken,
        })
    }

    async fn fetch(
        &self,
        (subject, version): (UserId, i32),
    ) -> Result<Option<SubjectKey>, SealError> {
        let query = || {
            sqlx::query_scalar!(
                r#"
                select wrapped
                  from subject_keys
                 where subject = $1
                   and version = $2
                "#,
                subject.0,
                version,
            )
            .fetch_optional(&*self.pool)
        };
        let found = self.pool.read(query).await.map_err(Arc::new)?;
        let Some(wrapped) = found.flatten() else {
            return Ok(None);
        };
        let (nonce, ciphertext) = wrapped
            .split_at_checked(NONCE_BYTES)
            .ok_or(SealError::Broken)?;
        let aad = associated_data(subject, version, "key");
        let secret = decrypt(&self.master, nonce, &aad, ciphertext)?;
        let cipher = XChaCha20Poly1305::new_from_slice(&secret).map_err(|_| SealError::Broken)?;
        Ok(Some(SubjectKey {
            subject,
            version,
            cipher,
        }))
    }
}

/// The associated data of a ciphertext, which binds it to its subject, key and field: moved to
/// another one, it cannot be opened.
fn associated_data(subject: UserId, version: i32, field: &str) -> String {
    format!("{subject}/{version}/{field}")
}

fn encrypt(
    cipher: &XChaCha20Poly1305,
    nonce: [u8; NONCE_BYTES],
    aad: &str,
    msg: &[u8],
) -> Result<Vec<u8>, SealError> {
    let payload = Payload {
        msg,
        aad: aad.as_bytes(),
    };
    cipher
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| SealError::Broken)
}

fn decrypt(
    cipher: &XChaCha20Poly1305,
    nonce: &[u8],
    aad: &str,
    msg: &[u8],
) -> Result<Vec<u8>, SealError> {
    let nonce = XNonce::try_from(nonce).map_err(|_| SealError::Broken)?;
    let payload = Payload {
        msg,
        aad: aad.as_bytes(),
    };
    cipher
        .decrypt(&nonce, payload)
        .map_err(|_| SealError::Broken)
}

#[expect(
    clippy::disallowed_methods,
    reason = "all keys and nonces come from here"
)]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
