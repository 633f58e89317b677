//! Sealing personal data under a key per data subject, and hashing it under a key of the deployment.
//!
//! XChaCha20-Poly1305 with random nonces. A subject's key is stored wrapped under a master key that
//! never enters the database; destroying the wrapped key erases all that it sealed, everywhere.

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
use sqlx::PgPool;
use tidemark_events::{KeyedHash, Sealed, UserId};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FIRST_VERSION: i32 = 1;

/// Why sealed data could not be opened, or nothing could be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A key that must be 32 bytes is not.
    #[error("a sealing key must have {KEY_BYTES} bytes")]
    KeyLength,
    /// The ciphertext, its nonce or its key is not what was written.
    #[error("sealed data cannot be opened: it, its subject or its key was altered")]
    Broken,
    /// Postgres could not be asked for a key.
    #[error(transparent)]
    Storage(#[from] Arc<sqlx::Error>),
}

/// Computes the keyed hashes by which personal values are looked up and compared.
#[derive(Debug)]
pub struct LookupKey(SecretBox<[u8]>);

impl LookupKey {
    /// A key of 32 bytes.
    ///
    /// # Errors
    /// [`SealError::KeyLength`].
    pub fn new(key: Vec<u8>) -> Result<Self, SealError> {
        if key.len() == KEY_BYTES {
            Ok(Self(key.into()))
        } else {
            Err(SealError::KeyLength)
        }
    }

    /// The hash of a value; `domain` keeps equal values of different meaning apart.
    #[must_use]
    pub fn hash(&self, domain: &str, value: &str) -> KeyedHash {
        KeyedHash(hex::encode(self.mac(domain, value.as_bytes())))
    }

    /// The same, of any bytes and as bytes.
    #[must_use]
    pub fn mac(&self, domain: &str, value: &[u8]) -> Vec<u8> {
        // HMAC takes a key of any length, so this is never the default.
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

/// One subject's key, open.
#[derive(Clone)]
pub struct SubjectKey {
    subject: UserId,
    version: i32,
    cipher: XChaCha20Poly1305,
}

impl SubjectKey {
    /// Seals a value as the field of that name.
    ///
    /// # Errors
    /// [`SealError::Broken`] if the value is longer than the cipher takes (256 GiB).
    pub fn seal(&self, field: &str, value: &str) -> Result<Sealed, SealError> {
        let nonce = random::<NONCE_BYTES>();
        let aad = associated(self.subject, self.version, field);
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
        let aad = associated(sealed.subject, sealed.key_version, field);
        let nonce = decode(&sealed.nonce)?;
        let plain = decrypt(&self.cipher, &nonce, &aad, &decode(&sealed.ciphertext)?)?;
        String::from_utf8(plain).map_err(|_| SealError::Broken)
    }
}

/// A new subject's key: use it, and have the append of its first facts store it.
pub struct NewKey {
    /// To seal with.
    pub key: SubjectKey,
    /// Which of the subject's keys it is.
    pub version: i32,
    /// To store: encrypted under the master key.
    pub wrapped: Vec<u8>,
}

/// The subjects' keys, fetched when needed and forgotten soon.
#[derive(Clone)]
pub struct Keys {
    pool: PgPool,
    master: XChaCha20Poly1305,
    cache: Cache<(UserId, i32), Option<SubjectKey>>,
}

impl Keys {
    /// Keys wrapped under `master` (32 bytes), each kept at most `ttl` and `capacity` of them, so
    /// that a destroyed one is forgotten in that time.
    ///
    /// # Errors
    /// [`SealError::KeyLength`].
    pub fn new(
        pool: PgPool,
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

    /// Makes the key of a new subject.
    ///
    /// # Errors
    /// Never with a usable master key.
    pub fn create(&self, subject: UserId) -> Result<NewKey, SealError> {
        let secret = random::<KEY_BYTES>();
        let nonce = random::<NONCE_BYTES>();
        let aad = associated(subject, FIRST_VERSION, "key");
        let mut wrapped = nonce.to_vec();
        wrapped.extend(encrypt(&self.master, nonce, &aad, &secret)?);
        let key = SubjectKey {
            subject,
            version: FIRST_VERSION,
            cipher: XChaCha20Poly1305::new(&secret.into()),
        };
        Ok(NewKey {
            key,
            version: FIRST_VERSION,
            wrapped,
        })
    }

    /// Opens a sealed value of the field of that name; `None` if its subject was erased.
    ///
    /// # Errors
    /// [`SealError`]: altered data, or Postgres cannot be asked.
    pub async fn unseal(&self, field: &str, sealed: &Sealed) -> Result<Option<String>, SealError> {
        let id = (sealed.subject, sealed.key_version);
        let key = self.cache.try_get_with(id, self.fetch(id)).await.map_err(
            |error: Arc<SealError>| match &*error {
                SealError::Storage(error) => SealError::Storage(Arc::clone(error)),
                SealError::Broken | SealError::KeyLength => SealError::Broken,
            },
        )?;
        key.map(|key| key.unseal(field, sealed)).transpose()
    }

    async fn fetch(
        &self,
        (subject, version): (UserId, i32),
    ) -> Result<Option<SubjectKey>, SealError> {
        let wrapped = sqlx::query_scalar!(
            r#"
            select wrapped
              from subject_keys
             where subject = $1
               and version = $2
            "#,
            subject.0,
            version,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(Arc::new)?
        .flatten();
        let Some(wrapped) = wrapped else {
            return Ok(None);
        };
        let (nonce, ciphertext) = wrapped
            .split_at_checked(NONCE_BYTES)
            .ok_or(SealError::Broken)?;
        let aad = associated(subject, version, "key");
        let secret = decrypt(&self.master, nonce, &aad, ciphertext)?;
        let cipher = XChaCha20Poly1305::new_from_slice(&secret).map_err(|_| SealError::Broken)?;
        Ok(Some(SubjectKey {
            subject,
            version,
            cipher,
        }))
    }
}

/// Binds a ciphertext to its subject, key and field, so that none can pass for another.
fn associated(subject: UserId, version: i32, field: &str) -> String {
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
    reason = "keys and nonces are drawn here and nowhere else"
)]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
