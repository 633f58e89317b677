//! Access tokens: JWTs (RFC 9068) signed with Ed25519. There is one key that signs, at most one other that is
//! accepted, one algorithm and one form of header; a token with any other is refused. Whether the session has ended
//! is not known here.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{SigningKey, VerifyingKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Error, User};
use crate::config;

const TOKEN_TYPE: &str = "at+jwt";
/// `client_id` of all tokens. Clients are not registered: to us all of them are one, which is Tidemark's own.
const CLIENT_ID: &str = "tidemark";
const SIGNING_KEY_VARIABLE: &str = "TIDEMARK_AUTH__SIGNING_KEY";
const VERIFYING_KEY_VARIABLE: &str = "TIDEMARK_AUTH__VERIFYING_KEY";
const OTHER_VERIFYING_KEY_VARIABLE: &str = "TIDEMARK_AUTH__OTHER_VERIFYING_KEY";
/// Every token that we issue is smaller; a larger one is refused before it is decoded.
const TOKEN_BYTES_MAX: usize = 4096;
/// The length of a key id, which is the beginning of the key's hash.
const KEY_ID_LENGTH: usize = 16;

/// The claims of an access token. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer, which is `auth.issuer` of the configuration.
    pub iss: String,
    /// The audience, which is `auth.audience` of the configuration.
    pub aud: String,
    /// The client that asked for the token, which RFC 9068 requires. It is the same in all tokens.
    pub client_id: String,
    /// The id of the user.
    pub sub: Uuid,
    /// The id of the session.
    pub sid: Uuid,
    /// When the token was issued.
    pub iat: i64,
    /// When the token becomes valid.
    pub nbf: i64,
    /// When the token ceases to be valid.
    pub exp: i64,
    /// The id of the token.
    pub jti: Uuid,
    /// The roles that the user had when the token was issued.
    pub roles: Vec<String>,
}

impl From<AccessClaims> for User {
    fn from(claims: AccessClaims) -> Self {
        Self {
            id: claims.sub,
            session_id: claims.sid,
            roles: claims.roles,
        }
    }
}

/// Signs access tokens.
#[derive(Clone)]
pub struct Issuer {
    key: EncodingKey,
    key_id: String,
    iss: String,
    aud: String,
    ttl_s: i64,
}

/// Verifies access tokens.
#[derive(Clone)]
pub struct Verifier {
    /// The key of our own tokens, and the other one if there is one.
    keys: Vec<PublicKey>,
    validation: Validation,
    leeway_s: i64,
}

/// A key that verifies access tokens.
#[derive(Clone)]
struct PublicKey {
    key: DecodingKey,
    id: String,
    /// The raw public key, in base64url.
    raw: String,
}

impl PublicKey {
    fn new(pem: &str, variable: &'static str) -> Result<Self, Error> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|e| unusable(variable, &e))?;
        let raw = URL_SAFE_NO_PAD.encode(key.as_bytes());
        Ok(Self {
            key: DecodingKey::from_ed_components(&raw).map_err(|e| unusable(variable, &e))?,
            id: key_id(&key),
            raw,
        })
    }
}

impl Issuer {
    /// Makes an issuer that signs with `auth.signing_key`.
    ///
    /// # Errors
    /// If the key is missing or not an Ed25519 private key.
    pub fn from_config(auth: &config::Auth) -> Result<Self, Error> {
        let pem = pem(&auth.signing_key, "auth.signing_key", SIGNING_KEY_VARIABLE)?;
        let key =
            SigningKey::from_pkcs8_pem(&pem).map_err(|e| unusable(SIGNING_KEY_VARIABLE, &e))?;
        Ok(Self {
            key: EncodingKey::from_ed_pem(pem.as_bytes())
                .map_err(|e| unusable(SIGNING_KEY_VARIABLE, &e))?,
            key_id: key_id(&key.verifying_key()),
            iss: auth.issuer.clone(),
            aud: auth.audience.clone(),
            ttl_s: auth.access_token_ttl_s,
        })
    }

    /// Issues a token for `user` that is valid from `now` on.
    ///
    /// # Errors
    /// If signing fails.
    pub fn issue(&self, now: DateTime<Utc>, token_id: Uuid, user: &User) -> Result<String, Error> {
        let issued = now.timestamp();
        let claims = AccessClaims {
            iss: self.iss.clone(),
            aud: self.aud.clone(),
            client_id: CLIENT_ID.to_owned(),
            sub: user.id,
            sid: user.session_id,
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(self.ttl_s),
            jti: token_id,
            roles: user.roles.clone(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(Error::Signing)
    }
}

/// The only header that our tokens have. A header with other members, such as `jwk`, `jku` or `crit`, could
/// make a library trust the key of an attacker, and is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    alg: Algorithm,
    typ: String,
    kid: String,
}

impl Verifier {
    /// Makes a verifier that accepts what `auth.verifying_key` or `auth.other_verifying_key` verifies.
    ///
    /// # Errors
    /// If the key is missing, or if one is not an Ed25519 public key.
    pub fn from_config(auth: &config::Auth) -> Result<Self, Error> {
        let pem = pem(
            &auth.verifying_key,
            "auth.verifying_key",
            VERIFYING_KEY_VARIABLE,
        )?;
        let mut keys = vec![PublicKey::new(&pem, VERIFYING_KEY_VARIABLE)?];
        let other = &auth.other_verifying_key;
        if !other.expose_secret().is_empty() {
            let name = "auth.other_verifying_key";
            let pem = self::pem(other, name, OTHER_VERIFYING_KEY_VARIABLE)?;
            keys.push(PublicKey::new(&pem, OTHER_VERIFYING_KEY_VARIABLE)?);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&auth.issuer]);
        validation.set_audience(&[&auth.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
        // The library would compare times with the machine's clock; `verify` is given the time.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self {
            keys,
            validation,
            leeway_s: auth.leeway_s,
        })
    }

    /// The claims of a token, if it was issued here and is valid at `now`.
    ///
    /// # Errors
    /// `Foreign` if it was not issued here, `Expired` if it has expired or is not valid yet.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, Error> {
        let key = self.key_of(token)?;
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, &key.key, &self.validation);
        let claims = decoded.map_err(|e| Error::Foreign(e.to_string()))?.claims;
        let now = now.timestamp();
        let is_early = claims.nbf > now.saturating_add(self.leeway_s);
        let is_late = claims.exp <= now.saturating_sub(self.leeway_s);
        if is_early || is_late {
            Err(Error::Expired)
        } else {
            Ok(claims)
        }
    }

    /// When a token with these claims ceases to be accepted.
    pub(super) fn accepted_until(&self, claims: &AccessClaims) -> DateTime<Utc> {
        let until = claims.exp.saturating_add(self.leeway_s);
        DateTime::from_timestamp(until, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The key that the header of the token names.
    fn key_of(&self, token: &str) -> Result<&PublicKey, Error> {
        let foreign = |reason: &str| Err(Error::Foreign(reason.to_owned()));
        if token.len() > TOKEN_BYTES_MAX {
            return foreign("it is too long");
        }
        let encoded = token.split('.').next().unwrap_or_default();
        let header = URL_SAFE_NO_PAD.decode(encoded).ok();
        match header.and_then(|bytes| serde_json::from_slice::<OurHeader>(&bytes).ok()) {
            None => foreign("its header is not of our form"),
            Some(header) if header.alg != Algorithm::EdDSA => {
                foreign("it is signed by another algorithm")
            }
            Some(header) if header.typ != TOKEN_TYPE => foreign("it is not an access token"),
            Some(header) => match self.keys.iter().find(|key| key.id == header.kid) {
                Some(key) => Ok(key),
                None => foreign("it is signed by another key"),
            },
        }
    }

    /// The public keys as a JWK set (RFC 7517), by which others verify our tokens.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let jwk = |key: &PublicKey| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": key.id, "x": key.raw,
            })
        };
        json!({ "keys": self.keys.iter().map(jwk).collect::<Vec<_>>() })
    }
}

fn pem(setting: &SecretString, key: &'static str, variable: &'static str) -> Result<String, Error> {
    let encoded = config::required(setting, key)?;
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|e| unusable(variable, &e))?;
    String::from_utf8(bytes).map_err(|e| unusable(variable, &e))
}

fn unusable(variable: &'static str, error: &impl fmt::Display) -> Error {
    Error::Setting {
        variable,
        problem: format!("is not base64 of the PEM of an Ed25519 key: {error}"),
    }
}

fn key_id(key: &VerifyingKey) -> String {
    let mut id = URL_SAFE_NO_PAD.encode(Sha256::digest(key.as_bytes()));
    id.truncate(KEY_ID_LENGTH);
    id
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}
