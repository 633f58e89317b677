//! A sealed value opens where it was written and nowhere else. Each test moves one thing that whoever
//! can write to the database could move, and uses the right cipher all the same, so that only the
//! associated data can tell the difference.

use sqlx::PgPool;

use super::*;
use crate::testing::{create_database, database_name};

const MASTER: [u8; KEY_BYTES] = [7; KEY_BYTES];
const ANNA: UserId = UserId(uuid::Uuid::from_u128(1));
const BORIS: UserId = UserId(uuid::Uuid::from_u128(2));

fn keys(pool: &PgPool) -> SubjectKeys {
    keys_for(pool, &MASTER, Duration::from_mins(1))
}

fn keys_for(pool: &PgPool, master: &[u8], ttl: Duration) -> SubjectKeys {
    let pool = TimedPool::new(pool.clone(), Duration::from_mins(1));
    SubjectKeys::new(pool, master, ttl, 10).unwrap()
}

async fn store(pool: &PgPool, subject: UserId, version: i32, wrapped: &[u8]) {
    sqlx::query("insert into subject_keys (subject, version, wrapped) values ($1, $2, $3)")
        .bind(subject.0)
        .bind(version)
        .bind(wrapped)
        .execute(pool)
        .await
        .unwrap();
}

fn key(subject: UserId, version: i32, secret: [u8; KEY_BYTES]) -> SubjectKey {
    SubjectKey {
        subject,
        version,
        cipher: XChaCha20Poly1305::new(&secret.into()),
    }
}

#[test]
fn a_sealed_value_opens_only_in_its_field_for_its_subject_and_key_version() {
    let key = key(ANNA, 1, [1; KEY_BYTES]);
    let sealed = key.seal("email", "anna@example.com").unwrap();
    assert_eq!(key.unseal("email", &sealed).unwrap(), "anna@example.com");

    let of_another_subject = Sealed {
        subject: BORIS,
        ..sealed.clone()
    };
    let of_another_version = Sealed {
        key_version: 2,
        ..sealed.clone()
    };
    for (field, moved) in [
        ("display_name", &sealed),
        ("email", &of_another_subject),
        ("email", &of_another_version),
    ] {
        let opened = key.unseal(field, moved);
        assert!(matches!(opened, Err(SealError::Broken)), "{opened:?}");
    }
}

#[test]
fn an_altered_value_does_not_open() {
    let key = key(ANNA, 1, [1; KEY_BYTES]);
    let sealed = key.seal("email", "anna@example.com").unwrap();
    let other = key.seal("email", "boris@example.com").unwrap();
    assert_ne!(sealed.nonce, other.nonce, "a nonce must not be used twice");
    for (nonce, ciphertext) in [
        (&*other.nonce, &*sealed.ciphertext),
        (&*sealed.nonce, &*other.ciphertext),
        (&*sealed.nonce, ""),
        ("", &*sealed.ciphertext),
        ("not base64url!", &*sealed.ciphertext),
    ] {
        let altered = Sealed {
            nonce: nonce.to_owned(),
            ciphertext: ciphertext.to_owned(),
            ..sealed.clone()
        };
        let opened = key.unseal("email", &altered);
        assert!(matches!(opened, Err(SealError::Broken)), "{opened:?}");
    }
}

#[tokio::test]
async fn a_wrapped_key_opens_only_for_its_subject_and_version() {
    let pool = create_database(&database_name("wrapped_keys")).await;
    let new = keys(&pool).create(ANNA).unwrap();
    store(&pool, ANNA, 1, &new.wrapped).await;
    store(&pool, ANNA, 2, &new.wrapped).await;
    store(&pool, BORIS, 1, &new.wrapped).await;

    let open = async |subject, version| {
        // The key of the new place with the cipher of the old one: what a moved key would turn into.
        let moved = SubjectKey {
            subject,
            version,
            cipher: new.key.cipher.clone(),
        };
        let sealed = moved.seal("email", "anna@example.com").unwrap();
        keys(&pool).unseal("email", &sealed).await
    };
    assert_eq!(open(ANNA, 1).await.unwrap().unwrap(), "anna@example.com");
    for (subject, version) in [(ANNA, 2), (BORIS, 1)] {
        let opened = open(subject, version).await;
        assert!(matches!(opened, Err(SealError::Broken)), "{opened:?}");
    }
}

#[tokio::test]
async fn a_key_of_another_deployment_opens_nothing() {
    let pool = create_database(&database_name("master_key")).await;
    let new = keys(&pool).create(ANNA).unwrap();
    store(&pool, ANNA, 1, &new.wrapped).await;
    let sealed = new.key.seal("email", "anna@example.com").unwrap();
    let master = [8; KEY_BYTES];
    let others = keys_for(&pool, &master, Duration::ZERO);
    let opened = others.unseal("email", &sealed).await;
    assert!(matches!(opened, Err(SealError::Broken)), "{opened:?}");
    for (subject, version) in [(BORIS, 1), (ANNA, 2)] {
        let of_no_key = Sealed {
            subject,
            key_version: version,
            ..sealed.clone()
        };
        let opened = keys(&pool).unseal("email", &of_no_key).await;
        assert_eq!(
            opened.unwrap(),
            None,
            "a key that is not there was destroyed"
        );
    }
}

#[tokio::test]
async fn a_destroyed_key_is_forgotten_once_its_time_in_the_cache_is_over() {
    let pool = create_database(&database_name("destroyed_keys")).await;
    let new = keys(&pool).create(ANNA).unwrap();
    store(&pool, ANNA, 1, &new.wrapped).await;
    let sealed = new.key.seal("email", "anna@example.com").unwrap();
    let uncached = keys_for(&pool, &MASTER, Duration::ZERO);
    let cached = keys(&pool);
    for keys in [&uncached, &cached] {
        assert!(keys.unseal("email", &sealed).await.unwrap().is_some());
    }
    sqlx::query("select destroy_subject_keys($1)")
        .bind(ANNA.0)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(uncached.unseal("email", &sealed).await.unwrap(), None);
    assert!(cached.unseal("email", &sealed).await.unwrap().is_some());
}

#[test]
fn equal_values_of_different_meaning_have_different_hashes() {
    let key = LookupKey::new(vec![1; KEY_BYTES]).unwrap();
    assert_eq!(key.hash("email", "a"), key.hash("email", "a"));
    assert_ne!(key.hash("email", "a"), key.hash("phone", "a"));
    assert_ne!(key.hash("email", "a"), key.hash("email", "b"));
    assert_ne!(key.hash("ema", "il"), key.hash("em", "ail"));
    let other = LookupKey::new(vec![2; KEY_BYTES]).unwrap();
    assert_ne!(key.hash("email", "a"), other.hash("email", "a"));
    // The hash is the one that RFC 2104 defines, over the meaning, a zero byte and the value.
    let mac = Hmac::<Sha256>::new_from_slice(&[1; KEY_BYTES]).unwrap();
    let expected = mac.chain_update(b"email\0a").finalize().into_bytes();
    assert_eq!(key.hash("email", "a").0, hex::encode(expected));
}

#[test]
fn keys_have_32_bytes() {
    for length in [0, 16, 31, 33] {
        assert!(matches!(
            LookupKey::new(vec![1; length]),
            Err(SealError::KeyLength)
        ));
    }
}
