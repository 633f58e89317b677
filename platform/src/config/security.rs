//! Settings of identity and of personal data.

use secrecy::SecretString;
use serde::Deserialize;

/// Passwords and tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// `iss` of access tokens.
    pub issuer: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// Life of an access token.
    pub access_token_ttl_s: i64,
    /// Life of a refresh token that is not used.
    pub refresh_token_idle_s: i64,
    /// Life of a session, however often it is refreshed.
    pub refresh_token_absolute_s: i64,
    /// Difference between clocks that is forgiven.
    pub leeway_s: i64,
    /// Ed25519 private key: base64 of a PKCS #8 PEM.
    pub signing_key: SecretString,
    /// Its public key: base64 of a PEM.
    pub verifying_key: SecretString,
    /// Shortest password, in characters.
    pub password_min: usize,
    /// Longest password, in characters; never cut.
    pub password_max: usize,
    /// Passwords hashed at once.
    pub hash_concurrency: usize,
    /// Passwords that wait to be hashed; one more is answered 503.
    pub hash_queue_max: usize,
    /// How long one waits to be hashed.
    pub hash_wait_ms: u64,
    /// argon2id: memory.
    pub argon2_memory_kib: u32,
    /// argon2id: passes.
    pub argon2_iterations: u32,
    /// argon2id: lanes.
    pub argon2_parallelism: u32,
}

/// Keys of personal data.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealing {
    /// Wraps the keys of data subjects: base64 of 32 bytes.
    pub master_key: SecretString,
    /// Keys the hashes that personal data is compared by, and signs cursors: base64 of 32 bytes.
    pub lookup_key: SecretString,
    /// How long a subject's key is kept in memory.
    pub key_cache_s: u64,
}

/// What one service may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceGrant {
    /// The commands it may send.
    #[serde(deserialize_with = "super::list")]
    pub commands: Vec<String>,
}
