//! Access tokens.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::auth::{Error, Issuer, Verifier};
use crate::testing::{config, config_with, now, token, user};

const SEED: [u8; 32] = [7; 32];

static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::from_config(&config().auth).unwrap());

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn signed_by(seed: [u8; 32], header: &Value, claims: &Value) -> String {
    let text = unsigned(header, claims);
    let signature = SigningKey::from_bytes(&seed).sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn signed(header: &Value, claims: &Value) -> String {
    signed_by(SEED, header, claims)
}

/// Header and claims of a token that we issued.
fn issued() -> (Value, Value) {
    let token = token(&config());
    let mut parts = token
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()));
    let mut next = || parts.next().unwrap().unwrap();
    (next(), next())
}

/// `object` with `member` replaced, or without it.
fn with(object: &Value, member: &str, value: impl Into<Option<Value>>) -> Value {
    let mut object = object.clone();
    let members = object.as_object_mut().unwrap();
    match value.into() {
        Some(value) => members.insert(member.to_owned(), value),
        None => members.remove(member),
    };
    object
}

fn assert_foreign(token: &str, case: &str) {
    let verified = VERIFIER.verify(token, now());
    assert!(
        matches!(verified, Err(Error::Foreign(_))),
        "{case}: {verified:?}"
    );
}

fn assert_refused(token: &str, case: &str) {
    let verified = VERIFIER.verify(token, now());
    assert!(verified.is_err(), "{case}: {verified:?}");
}

#[test]
fn a_token_over_the_largest_size_is_not_decoded() {
    let reason = |length: usize| {
        let verified = VERIFIER.verify(&"a".repeat(length), now());
        verified.unwrap_err().to_string()
    };
    assert!(reason(4_096).ends_with("its header is not of our form"));
    for length in [4_097, 4_098, 1 << 20] {
        assert!(reason(length).ends_with("it is too long"));
    }
}

#[test]
fn an_issued_token_is_valid() {
    let claims = VERIFIER.verify(&token(&config()), now()).unwrap();
    assert_eq!(claims.exp - claims.iat, config().auth.access_token_ttl_s);
    let until = VERIFIER.accepted_until(&claims);
    let just_before = until - TimeDelta::seconds(1);
    assert!(VERIFIER.verify(&token(&config()), just_before).is_ok());
    assert!(VERIFIER.verify(&token(&config()), until).is_err());
    assert_eq!(crate::auth::User::from(claims), user());

    let (header, claims) = issued();
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["typ"], "at+jwt");
    assert!(VERIFIER.verify(&signed(&header, &claims), now()).is_ok());
}

#[test]
fn a_token_has_the_claims_of_rfc_9068() {
    let (_, claims) = issued();
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        assert!(!claims[claim].is_null(), "{claim}");
    }
    assert!(claims["iss"].as_str().unwrap().starts_with("http"));
}

#[test]
fn the_tokens_of_the_other_key_are_accepted() {
    let public = SigningKey::from_bytes(&[8; 32])
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    let other = STANDARD.encode(public);
    let config = config_with(&[("TIDEMARK_AUTH__OTHER_VERIFYING_KEY", &other)]);
    let verifier = Verifier::from_config(&config.auth).unwrap();
    let keys = verifier.jwks()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2);
    let (header, claims) = issued();
    let by_other = signed_by(
        [8; 32],
        &with(&header, "kid", keys[1]["kid"].clone()),
        &claims,
    );
    assert!(verifier.verify(&by_other, now()).is_ok());
    assert!(verifier.verify(&signed(&header, &claims), now()).is_ok());
    assert_foreign(&by_other, "without the other key");
}

#[test]
fn a_token_without_an_algorithm_is_refused() {
    let (header, claims) = issued();
    for alg in ["none", "None", "nOnE", ""] {
        let unsigned = unsigned(&with(&header, "alg", json!(alg)), &claims);
        assert_foreign(&unsigned, alg);
        assert_foreign(&format!("{unsigned}."), alg);
    }
    assert_foreign(&format!("{}.", unsigned(&header, &claims)), "no signature");
    assert_foreign(&signed(&with(&header, "alg", None), &claims), "no alg");
}

#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    let (header, claims) = issued();
    let text = unsigned(&with(&header, "alg", json!("HS256")), &claims);
    let pem = STANDARD
        .decode(config().auth.verifying_key.expose_secret())
        .unwrap();
    let raw = SigningKey::from_bytes(&SEED)
        .verifying_key()
        .to_bytes()
        .to_vec();
    for secret in [pem, raw] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(text.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        assert_foreign(&format!("{text}.{signature}"), "HS256");
    }
}

#[test]
fn another_algorithm_or_key_is_refused() {
    let (header, claims) = issued();
    for alg in ["ES256", "RS256", "PS512", "Ed448", "eddsa"] {
        assert_foreign(&signed(&with(&header, "alg", json!(alg)), &claims), alg);
    }
    assert_foreign(&signed_by([8; 32], &header, &claims), "another key");
}

#[test]
fn a_token_with_any_bit_flipped_or_cut_off_is_refused() {
    let token = token(&config());
    for (at, bit) in (0..token.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] ^= 1 << bit;
        let flipped = String::from_utf8(bytes).unwrap();
        assert_foreign(&flipped, &format!("bit {bit} of byte {at}"));
    }
    for length in 0..token.len() {
        assert_foreign(&token[..length], &format!("cut to {length}"));
    }
    assert_foreign(&format!("{token}.{token}"), "six parts");
    assert_foreign(&format!("{token}.e30"), "four parts");
    assert_foreign(&format!("{token}="), "padded");
    assert_foreign(&format!("{token}{}", "A".repeat(1 << 20)), "too long");
}

#[test]
fn a_header_that_brings_its_own_key_is_refused() {
    let (header, claims) = issued();
    let key = VERIFIER.jwks()["keys"][0].clone();
    for (member, value) in [
        ("jwk", key),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ] {
        assert_foreign(&signed(&with(&header, member, value), &claims), member);
    }
}

#[test]
fn an_unknown_key_id_is_refused() {
    let (header, claims) = issued();
    for kid in [
        "",
        "other",
        "../../etc/passwd",
        "' or 1=1 --",
        &"k".repeat(10_240),
    ] {
        assert_foreign(&signed(&with(&header, "kid", json!(kid)), &claims), kid);
    }
    assert_foreign(&signed(&with(&header, "kid", None), &claims), "no kid");
}

#[test]
fn a_token_is_valid_until_it_expires() {
    let auth = config().auth;
    let at = |seconds| VERIFIER.verify(&token(&config()), now() + TimeDelta::seconds(seconds));
    let end = auth.access_token_ttl_s + auth.leeway_s;
    assert!(at(end - 1).is_ok());
    assert!(matches!(at(end), Err(Error::Expired)));
    assert!(at(-auth.leeway_s).is_ok());
    assert!(matches!(at(-auth.leeway_s - 1), Err(Error::Expired)));
}

#[test]
fn malformed_times_are_refused() {
    let (header, claims) = issued();
    let exp = claims["exp"].as_i64().unwrap();
    for member in ["exp", "nbf", "iat"] {
        let refuse = |value: Option<Value>| {
            let case = format!("{member} {value:?}");
            assert_foreign(&signed(&header, &with(&claims, member, value)), &case);
        };
        refuse(None);
        refuse(Some(Value::Null));
        refuse(Some(json!(exp.to_string())));
        refuse(Some(json!(1.8e9 + 0.5)));
        refuse(Some(json!(1_u64 << 63)));
    }
    assert_refused(
        &signed(&header, &with(&claims, "exp", json!(-1))),
        "before 1970",
    );
    let forever = with(&claims, "nbf", json!(i64::MAX));
    assert_refused(&signed(&header, &forever), "never valid");
}

#[test]
fn a_token_of_another_issuer_audience_or_subject_is_refused() {
    let (header, claims) = issued();
    for member in ["iss", "aud", "sub"] {
        for value in [
            None,
            Some(json!("other")),
            Some(json!("")),
            Some(json!(["tidemark", "other"])),
        ] {
            let case = format!("{member} {value:?}");
            assert_foreign(&signed(&header, &with(&claims, member, value)), &case);
        }
    }
}

#[test]
fn a_token_of_another_type_is_refused() {
    let (header, claims) = issued();
    for typ in [
        None,
        Some(json!("JWT")),
        Some(json!("rt+jwt")),
        Some(json!("")),
    ] {
        let case = format!("{typ:?}");
        assert_foreign(&signed(&with(&header, "typ", typ), &claims), &case);
    }
}

#[test]
fn the_public_key_is_published() {
    let jwks = VERIFIER.jwks();
    let raw = SigningKey::from_bytes(&SEED).verifying_key().to_bytes();
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(jwks["keys"][0]["x"], URL_SAFE_NO_PAD.encode(raw));
    assert_eq!(jwks["keys"][0]["kid"], issued().0["kid"]);
    assert!(jwks["keys"][0]["d"].is_null());
}

#[test]
fn an_unusable_key_is_named() {
    let private = config().auth.signing_key.expose_secret().to_owned();
    let no_pem = STANDARD.encode("no key");
    for value in ["", "%", &no_pem, &private[..40]] {
        let auth = config_with(&[("TIDEMARK_AUTH__SIGNING_KEY", value)]).auth;
        let error = Issuer::from_config(&auth).unwrap_err().to_string();
        assert!(error.contains("TIDEMARK_AUTH__SIGNING_KEY"), "{error}");
    }
    for value in ["", "%", &no_pem, &private] {
        let auth = config_with(&[("TIDEMARK_AUTH__VERIFYING_KEY", value)]).auth;
        let error = Verifier::from_config(&auth).unwrap_err().to_string();
        assert!(error.contains("TIDEMARK_AUTH__VERIFYING_KEY"), "{error}");
    }
}
